// The search box with suggestions, as the ARIA combobox pattern has it.
import { get } from "./api.js";
import { make, meta, say, title } from "./parts.js";

export function searchBox(input, list, choose, fail) {
  let movies = [], at = -1, timer = 0, running = null;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    at = -1;
  }

  function mark(place) {
    at = movies.length ? (place + movies.length) % movies.length : -1;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", `${i === at}`));
    if (at < 0) return;
    input.setAttribute("aria-activedescendant", `movie-${at}`);
    list.children[at].scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    const movie = movies[place];
    input.value = "";
    movies = [];
    list.replaceChildren();
    close();
    if (movie) choose(movie);
  }

  async function look() {
    running?.abort();
    running = new AbortController();
    const text = input.value.trim();
    if (!text) return close();
    try {
      movies = (await get("films", { search: text, limit: 8 }, running.signal)).items;
    } catch (error) {
      if (error.name !== "AbortError") fail(error);
      return;
    }
    // mousedown, as the click comes only after the box has lost the focus.
    list.replaceChildren(...movies.map((movie, i) =>
      make("li", { id: `movie-${i}`, role: "option", "aria-selected": "false",
        onmousedown: (event) => { event.preventDefault(); take(i); } },
        title(movie), make("small", {}, meta(movie)))));
    if (!movies.length) list.append(make("li", { role: "option", "aria-disabled": "true" }, say("No such {item}")));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(0);
  }

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 120); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      take(at);
    }
  });
}
