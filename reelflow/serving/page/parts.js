// Small pieces of the page. Text only ever enters as text nodes, so that no title can be code.

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== "" && one !== undefined) query.append(name, one);
  }
  return answer(await fetch(`/api/v1/${path}?${query}`, { signal }));
}

export async function post(path, body, signal = undefined) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

async function answer(response) {
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

export function bar(share) {
  const fill = make("i");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, fill);
}

export function stars(rating) {
  const full = make("i", {}, "★★★★★");
  full.style.width = `${Math.max(0, Math.min(5, rating)) * 20}%`;
  return make("span", { class: "stars", "aria-hidden": "true" }, "★★★★★", full);
}

// "Matrix, The (1999)" as people say it.
export function spoken(text) {
  return text.replace(/^([^(]+), (The|An?|L[ae]s?|L'|Der|Die|Das|El|Los|Il)(?= \(|$)/, (_, name, article) =>
    article === "L'" ? article + name : `${article} ${name}`);
}

// Most titles carry their year; it is shown beside the genres instead.
export function title(movie) {
  return spoken(movie.year ? movie.title.replace(` (${movie.year})`, "") : movie.title);
}

export function meta(movie) {
  return [movie.year, movie.genres.join(", ")].filter(Boolean).join(" · ");
}

function reasons(because, label) {
  if (!because?.length) return null;
  const most = because[0].weight;
  const items = because.map((one) =>
    make("li", { title: `${one.title} adds ${one.weight.toFixed(2)} to the score` },
      bar(one.weight / most), make("span", {}, spoken(one.title))));
  return make("div", { class: "because" }, label, make("ul", {}, ...items));
}

export function card(movie, place, known, open) {
  const rating = movie.predicted_rating;
  const whose = known ? "predicted for this user" : "predicted for an average viewer";
  return make("li", { class: "card", "data-movie": movie.movie_id },
    make("h3", {}, make("button", { type: "button", onclick: () => open(movie), "aria-haspopup": "dialog" }, title(movie))),
    make("span", { class: "place", "aria-hidden": "true" }, `${place}`),
    make("p", { class: "meta" }, meta(movie)),
    make("p", { class: "figures" },
      make("span", { title: `${rating.toFixed(2)} stars, ${whose}` }, stars(rating), ` ${rating.toFixed(1)}`,
        make("span", { class: "sr" }, ` stars, ${whose}`)),
      make("span", { class: "score", title: "Comparable within this list only" }, `score ${movie.score.toFixed(2)}`)),
    movie.seen ? make("span", { class: "seen" }, known ? "already rated" : "already named") : null,
    reasons(movie.because, known ? "Because you rated" : "Because you like"));
}

export function near(movie, open) {
  return make("li", { "data-movie": movie.movie_id },
    make("span", {}, make("button", { type: "button", onclick: () => open(movie) }, title(movie)), make("small", {}, meta(movie))),
    bar(movie.score), make("b", { title: "cosine" }, movie.score.toFixed(2)));
}

export function shares(heading, list) {
  if (!list.length) return null;
  const most = Math.max(...list.map((one) => one.films));
  const rows = list.map((one) => make("li", {}, make("span", {}, one.name), bar(one.films / most), make("b", {}, `${one.films}`)));
  return make("section", {}, make("h3", {}, heading), make("ul", { class: "shares" }, ...rows));
}
