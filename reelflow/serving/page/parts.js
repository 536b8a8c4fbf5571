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

// The word for what is recommended, as the model's data call it.
const noun = { item: "movie", items: "movies", a_item: "a movie" };

export function learn({ one, many, with_article }) {
  Object.assign(noun, { item: one, items: many, a_item: with_article });
  for (const node of document.querySelectorAll("[data-say]")) {
    for (const [target, text] of Object.entries(JSON.parse(node.dataset.say))) {
      if (target === "text") node.textContent = say(text); else node.setAttribute(target, say(text));
    }
  }
}

// Fills in `{item}`, `{items}` and `{a_item}`; a capital letter first gives one: `{Items}`.
export function say(text) {
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const word = noun[name[0].toLowerCase() + name.slice(1)];
    return name[0] === name[0].toLowerCase() ? word : word[0].toUpperCase() + word.slice(1);
  });
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

// A rating on the data's own scale; whole numbers where it is wide, such as per cent.
export function shown(rating, scale) {
  return rating.toFixed(scale.highest - scale.lowest > 20 ? 0 : 1);
}

// A rating that a person gave, without zeros that say nothing.
export function given(rating) {
  return `★ ${Number(rating.toFixed(1))}`;
}

export function stars(rating, scale) {
  const full = make("i", {}, "★★★★★");
  const zero = Math.min(0, scale.lowest);
  full.style.width = `${Math.max(0, Math.min(1, (rating - zero) / (scale.highest - zero))) * 100}%`;
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

function reasons(movie, own) {
  if (movie.because_kind === "genre") return make("p", { class: "because" }, `Because you like ${movie.because_genre}`);
  if (movie.because_kind === "popularity") return make("p", { class: "because" }, "Popular with others");
  if (!movie.because?.length) return null;
  const most = movie.because[0].weight;
  const items = movie.because.map((one) =>
    make("li", { title: `${one.title} adds ${one.weight.toFixed(2)} to the score` },
      bar(one.weight / most), make("span", {}, spoken(one.title)),
      !own && one.rating !== null ? make("b", {}, make("span", { class: "sr" }, "with "), given(one.rating)) : null));
  return make("div", { class: "because" }, own ? "Because you like" : "Because you rated", make("ul", {}, ...items));
}

function rated(movie, known, scale) {
  const rating = movie.predicted_rating;
  if (rating === null || !scale) return make("span");
  const whose = `of ${scale.highest}, predicted for ${known ? "this user" : "an average user"}`;
  return make("span", { title: `${rating.toFixed(2)} ${whose}` }, stars(rating, scale), ` ${shown(rating, scale)}`,
    make("span", { class: "sr" }, ` ${whose}`));
}

// `own` is true for the movies that the visitor marked, `known` for a user whom the model knows. `mark`
// takes a movie and whether it is liked; without it the card has no such buttons.
export function card(movie, place, { own, known, scale, open, mark }) {
  const button = (liked, text, name) => make("button", { type: "button", class: "plain", "aria-label": `${name}: ${title(movie)}`, onclick: () => mark(movie, liked) }, text);
  return make("li", { class: "card", "data-movie": movie.movie_id },
    make("h3", {}, make("button", { type: "button", onclick: () => open(movie), "aria-haspopup": "dialog" }, title(movie))),
    make("span", { class: "place", "aria-hidden": "true" }, `${place}`),
    make("p", { class: "meta" }, meta(movie)),
    make("p", { class: "figures" },
      rated(movie, known, scale),
      make("span", { class: "score", title: "Comparable within this list only" }, `score ${movie.score.toFixed(2)}`)),
    movie.seen ? make("span", { class: "seen" }, own ? "already named" : "already rated") : null,
    reasons(movie, own),
    mark ? make("p", { class: "marks" }, button(true, "Like", "I like it"), button(false, "Not for me", "I do not like it")) : null);
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
