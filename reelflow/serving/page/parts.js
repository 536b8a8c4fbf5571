// Small pieces that every part of the page is made of. Text only ever enters as text nodes, so that
// no title can be code.

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  set(node, attributes);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
}

// An icon of one path, as the box of 24 has it.
export function icon(path, attributes = {}) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  set(svg, { viewBox: "0 0 24 24", "aria-hidden": "true", ...attributes });
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  set(line, { d: path });
  svg.append(line);
  return svg;
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

// "1 movie", "12 movies".
export function many(count) {
  return `${count.toLocaleString()} ${count === 1 ? say("{item}") : say("{items}")}`;
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

// The same of a title alone, in a sentence.
export function short(text) {
  return spoken(text.replace(/ \(\d{4}\)$/, ""));
}

export function meta(movie) {
  return [movie.year, movie.genres.join(", ")].filter(Boolean).join(" · ");
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

// Tiles that fill whole rows of a list, `about` as many in all.
export function whole(list, about) {
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  return columns > 1 ? columns * Math.round(about / columns) : about;
}

// Scrolls a line of buttons to the chosen one, which may stand behind the edge.
export function reveal(line) {
  const chosen = line.querySelector("[aria-pressed=true]");
  if (chosen) line.scrollLeft += chosen.getBoundingClientRect().left - line.getBoundingClientRect().left - 4;
}

export function shares(heading, list) {
  if (!list.length) return null;
  const most = Math.max(...list.map((one) => one.films));
  const rows = list.map((one) => make("li", {}, make("span", {}, one.name), bar(one.films / most), make("b", {}, `${one.films}`)));
  return make("section", {}, make("h3", {}, heading), make("ul", { class: "shares" }, rows));
}
