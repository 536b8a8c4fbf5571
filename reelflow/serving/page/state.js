// What is asked, and for whom. It is kept in the address, so that it can be shared, and so that Back
// works; nothing is kept elsewhere.
export const FIRST = 18, MOST = 90;
export const MARKS = ["liked", "disliked", "rated", "seen"];
export const FILTERS = { genres: [], from: "", to: "", include: false, order: "blend", least: "" };
export const asked = { mode: "own", user: "", liked: [], disliked: [], rated: [], seen: [], stars: {}, ...FILTERS, k: FIRST, open: "" };

// The list that a movie stands in, or null.
export function marked(id) {
  return MARKS.find((list) => asked[list].includes(id)) ?? null;
}

export function marks() {
  return MARKS.flatMap((list) => asked[list]);
}

export function unmark(id) {
  for (const list of MARKS) asked[list] = asked[list].filter((one) => one !== id);
  delete asked.stars[id];
}

// A movie has one mark; the newest is last.
export function mark(id, list, stars = null) {
  unmark(id);
  asked[list].push(id);
  if (list === "rated") asked.stars[id] = stars;
}

export function forget() {
  for (const list of MARKS) asked[list] = [];
  asked.stars = {};
}

export function filterCount() {
  return asked.genres.length + [asked.from, asked.to, asked.include, asked.least].filter(Boolean).length;
}

export function yearsWrong() {
  return Boolean(asked.from && asked.to) && Number(asked.from) > Number(asked.to);
}

// Who is asked about, as the API wants it.
export function whom() {
  return { user_id: asked.mode === "user" ? asked.user || null : null, liked: asked.liked, disliked: asked.disliked };
}

export function ratings() {
  return Object.fromEntries(asked.rated.map((id) => [id, asked.stars[id]]));
}

export function conditions() {
  return { genres: asked.genres, year_from: asked.from || null, year_to: asked.to || null };
}

export function address(open = asked.open) {
  const parts = new URLSearchParams();
  if (asked.mode === "user") parts.set("user", asked.user);
  for (const list of MARKS) {
    for (const id of asked[list]) parts.append(list, list === "rated" ? `${id}:${asked.stars[id]}` : id);
  }
  for (const genre of asked.genres) parts.append("genre", genre);
  if (asked.from) parts.set("from", asked.from);
  if (asked.to) parts.set("to", asked.to);
  if (asked.include) parts.set("include", "1");
  if (asked.order !== FILTERS.order) parts.set("order", asked.order);
  if (asked.least) parts.set("least", asked.least);
  if (open) parts.set("open", open);
  return `${parts}` ? `#${parts}` : location.pathname;
}

// Takes the open movie alone from the address: entries that the page itself has made differ in nothing
// else, and what was marked since stays. False, as it is no other list.
export function reopen() {
  asked.open = new URLSearchParams(location.hash.slice(1)).get("open") ?? "";
  history.replaceState(history.state, "", address());
  return false;
}

// Takes what the address asks for; true if that is another list than before.
export function recall(orders) {
  const before = JSON.stringify({ ...asked, open: "", k: 0 });
  const parts = new URLSearchParams(location.hash.slice(1));
  const rated = parts.getAll("rated").map((text) => text.match(/^(.+):(-?\d+(?:\.\d+)?)$/)).filter(Boolean);
  Object.assign(asked, {
    mode: parts.has("user") ? "user" : "own", user: parts.get("user") ?? "", genres: parts.getAll("genre"),
    from: parts.get("from") ?? "", to: parts.get("to") ?? "", include: parts.has("include"), least: parts.get("least") ?? "",
    order: orders.includes(parts.get("order")) ? parts.get("order") : FILTERS.order, open: parts.get("open") ?? "",
  });
  forget();
  for (const list of ["liked", "disliked", "seen"]) for (const id of parts.getAll(list)) mark(id, list);
  for (const [, id, stars] of rated) mark(id, "rated", Number(stars));
  const changed = JSON.stringify({ ...asked, open: "", k: 0 }) !== before;
  if (changed) asked.k = FIRST;
  return changed;
}
