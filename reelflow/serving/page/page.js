// The page: what is asked, what is answered, and what happens when the visitor does something.
import { get, onOutage, post } from "./api.js";
import { fill } from "./detail.js";
import { learn, make, many, reveal, say, short, spoken, whole } from "./parts.js";
import { showProfile } from "./profile.js";
import { rows } from "./rows.js";
import { searchBox } from "./search.js";
import { address, asked, conditions, FILTERS, filterCount, FIRST, forget, mark, marked, marks, MARKS, MOST, ratings, recall, reopen, unmark, whom, yearsWrong } from "./state.js";
import { matches, pick, tile } from "./tiles.js";

const $ = (id) => document.getElementById(id);
const POLL = 5000, PICKS = 24, PROFILE = 300;
const ORDERS = [...$("order").options].map((one) => one.value);
const movies = new Map();  // every movie met so far, by id
const told = new Map();  // what this page has told the server of the user, by movie
let rated = new Map();  // the stars of the user's own history, by movie
let version = null, running = null, toasting = 0, depth = 0, focus = null;
let starting = false, picks = [], offered = 0;

// ---- words

const SOURCES = {
  user: ({ user }) => `From what the model knows of user ${user}${marks().length ? ", and from what you marked here" : ""}.`,
  history: ({ user }) => [user ? `The model does not know user ${user}: from what you marked here.` : say("From the {items} you marked."),
    version.stars ? "Stars are an average user's." : ""].join(" "),
  popularity: ({ user }) => user ? `The model does not know user ${user}: these ${say("{items}")} are popular.`
    : say("Popular {items}. Mark some, and this list becomes your own."),
};

function toast(text) {
  clearTimeout(toasting);
  $("toast").textContent = text;
  $("toast").hidden = false;
  toasting = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

// ---- the list

const page = () => whole($("cards"), FIRST);

const own = () => asked.mode === "own";
// Of a user, marks are events that the server keeps; where it takes none, they are of this page alone, beside
// the user's id, which a server without histories refuses.
const tells = () => !own() && asked.user && version.events;
const mayMark = () => own() || tells() || version.histories;

function tileWays(source) {
  return {
    own: own(), user: whom().user_id, known: source === "user", scale: version.stars, open: openMovie,
    mark: mayMark() ? setMark : null,
    marked: (id) => told.get(id)?.list ?? marked(id), rating: (id) => told.get(id)?.stars ?? asked.stars[id] ?? rated.get(id) ?? null,
  };
}

function question() {
  const about = own() || version.histories ? { ...whom(), ratings: ratings() } : { user_id: whom().user_id };
  const least = version.stars ? asked.least || null : null;
  return { ...about, ...conditions(), exclusions: asked.include ? [] : asked.seen, include_seen: asked.include, min_rating: least };
}

async function show() {
  history.replaceState(history.state ?? { depth: 0 }, "", address());
  running?.abort();
  const mine = running = new AbortController();
  const nothing = own() && !marks().length && !filterCount();
  $("results").hidden = nothing && starting;
  if (yearsWrong()) {
    $("source").textContent = $("years-wrong").textContent;
    return;
  }
  if (own() && nothing && starting) return showProfile($("profile"), { films: [] }, null);
  $("results").setAttribute("aria-busy", "true");
  if (asked.k === FIRST) asked.k = page();
  try {
    const user = whom().user_id;
    const newest = asked.order === "new";
    const asking = { ...question(), k: newest ? MOST : asked.k, order: newest || !version.stars ? FILTERS.order : asked.order, explain: own() || version.histories };
    const telling = user && !version.histories ? null
      : get("profile", { user_id: user, liked: asked.liked, disliked: asked.disliked, ratings: asked.rated.map((id) => `${id}:${asked.stars[id]}`), k: PROFILE }, mine.signal);
    const [found, profile] = await Promise.all([post("recommendations", asking, mine.signal), telling]);
    const items = newest ? found.items.sort((a, b) => (b.year ?? 0) - (a.year ?? 0)).slice(0, asked.k) : found.items;
    const how = tileWays(found.source);
    const match = matches(items);
    rated = new Map(user ? (profile?.films ?? []).map((movie) => [movie.movie_id, movie.rating]) : []);
    if ($("detail").open && rated.has(asked.open)) refill();
    items.forEach((movie) => movies.set(movie.movie_id, movie));
    $("results-title").textContent = user ? `For user ${user}` : found.source === "popularity" ? "Popular now" : "For you";
    keepFocus($("cards"), () => $("cards").replaceChildren(...items.map((movie, i) => tile(movie, how, found.source === "popularity" ? null : match[i]))));
    $("source").textContent = SOURCES[found.source]({ user });
    if (user && version.movies_for_a_user) {
      $("source").append(` This server tells no histories: it shows ${version.movies_for_a_user} ${say("{items}")} for a user at most.`);
    }
    ending(found.items.length, items.length);
    showProfile($("profile"), profile, user);
    if (items.length) await rows($("rows"), { question: question(), profile, shown: items.map((movie) => movie.movie_id), how, signal: mine.signal });
    else $("rows").replaceChildren();
    if (found.model_version !== version.model_version) await look();
  } catch (error) {
    if (error.name !== "AbortError") $("source").textContent = error.message;
  } finally {
    if (running === mine) $("results").removeAttribute("aria-busy");
  }
}

// Says where a list ends, and why.
function ending(found, listed) {
  const more = listed < found || (found === asked.k && asked.k < MOST);
  $("more").hidden = !more;
  $("end").hidden = more;
  if (more) return;
  const remedy = filterCount() ? make("button", { type: "button", class: "plain", onclick: clear }, "Clear filters") : null;
  const words = !listed ? (filterCount() ? say("No {item} is left: widen the filters.") : say("No {item} is left: everything is rated or marked."))
    : listed >= MOST ? `The best ${many(MOST)} end here${filterCount() ? "" : "; filters show others"}.`
    : `That is all: ${many(listed)}${filterCount() ? " within your filters" : ""}.`;
  $("end").replaceChildren(words, ...(remedy && !listed ? [" ", remedy] : []));
}

// Tiles are made anew; the focus stays at the same movie's, or at the one in its place.
function keepFocus(list, change) {
  const at = document.activeElement?.closest?.("#cards > li");
  const place = at ? [...list.children].indexOf(at) : -1;
  change();
  if (place < 0) return;
  const same = [...list.children].find((one) => one.dataset.movie === at.dataset.movie);
  (same ?? list.children[Math.min(place, list.children.length - 1)])?.querySelector(".face")?.focus({ preventScroll: true });
}

// ---- marks

const KINDS = { liked: "like", disliked: "dislike", seen: "view", rated: "rating" };

function setMark(movie, list, stars = null) {
  if (tells()) tell(movie, list, stars).catch((error) => toast(error.message));
  else keep(movie, list, stars);
}

// An id of its own makes it safe to send the event again.
async function tell(movie, list, stars) {
  const event = { event_id: `page-${Date.now()}-${Math.random()}`, user_id: asked.user, movie_id: movie.movie_id, kind: KINDS[list], rating: stars };
  await post("events", event);
  told.set(movie.movie_id, { list, stars });
  toast(`Noted for user ${event.user_id}: ${spoken(movie.title)}.`);
  show();
  if ($("detail").open) refill();
}

function keep(movie, list, stars) {
  movies.set(movie.movie_id, { ...movies.get(movie.movie_id), ...movie });
  const again = marked(movie.movie_id) === list && (list !== "rated" || asked.stars[movie.movie_id] === stars);
  if (again) unmark(movie.movie_id); else mark(movie.movie_id, list, stars);
  draw();
  show();
  if ($("detail").open) refill();
}

function drawMarks() {
  for (const list of MARKS) {
    $(list).replaceChildren(...asked[list].map((id) => {
      const name = short(movies.get(id)?.title ?? id);
      const text = list === "rated" ? `${name} ★ ${asked.stars[id]}` : name;
      const remove = () => { unmark(id); draw(); show(); $("search").focus(); };
      return make("li", {}, make("button", { type: "button", onclick: remove, "aria-label": `Remove ${text}` }, text));
    }));
  }
  $("marks").hidden = !marks().length || starting;
}

// ---- the start: posters to click

async function offer() {
  const found = await post("recommendations", { k: MOST });
  // From all of the popular ones, so that there is something for every taste.
  const step = Math.max(1, Math.ceil(found.items.length / PICKS));
  picks = Array.from({ length: step }, (_, turn) => found.items.filter((_, i) => i % step === turn)).flat();
  picks.forEach((movie) => movies.set(movie.movie_id, movie));
  drawPicks();
}

function drawPicks() {
  const toggle = (movie) => setMark(movie, "liked");
  const at = document.activeElement?.closest?.("#picks > li")?.dataset.movie;
  const some = picks.slice(offered, offered + whole($("picks"), PICKS));
  $("picks").replaceChildren(...some.map((movie) => pick(movie, asked.liked.includes(movie.movie_id), toggle)));
  if (at) $("picks").querySelector(`[data-movie="${CSS.escape(at)}"] .face`)?.focus({ preventScroll: true });
  $("others").hidden = picks.length <= some.length;
  $("done").hidden = !marks().length;
}

async function start(open) {
  starting = open;
  draw();
  if (open && !picks.length) await offer();
}

// ---- one movie

function openMovie(movie) {
  movies.set(movie.movie_id, { ...movies.get(movie.movie_id), ...movie });
  if (!$("detail").open) focus = document.activeElement;
  asked.open = movie.movie_id;
  depth += 1;
  history.pushState({ depth }, "", address());
  refill();
}

async function refill() {
  const id = asked.open, body = $("detail-body");
  try {
    if (!movies.has(id)) movies.set(id, await get(`films/${encodeURIComponent(id)}`));
    if (!$("detail").open) $("detail").showModal();
    const before = body.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const same = body.dataset.movie === id;
    const filled = fill(body, movies.get(id), tileWays(whom().user_id ? "user" : "history"));
    body.dataset.movie = id;
    const again = same && before ? [...body.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === before) : null;
    (again ?? body.querySelector("h2")).focus();
    if (!same) $("detail").scrollTop = 0;
    (await filled).forEach((one) => movies.has(one.movie_id) || movies.set(one.movie_id, one));
  } catch (error) {
    body.replaceChildren(make("h2", { id: "detail-title", tabindex: "-1" }, "Not found"), make("p", {}, error.message));
    if (!$("detail").open) $("detail").showModal();
  }
}

function shut() {
  if ($("detail").open) $("detail").close();
  delete $("detail-body").dataset.movie;
  if (focus?.isConnected) focus.focus();
  focus = null;
}

// Back leaves one movie after the other; closing leaves all of them.
function closeMovie() {
  const steps = history.state?.depth ?? 0;
  asked.open = "";
  if (steps) history.go(-steps); else history.replaceState({ depth: 0 }, "", address());
  shut();
}

// ---- what is on the page besides

function draw() {
  document.querySelector(`[name=mode][value=${asked.mode}]`).checked = true;
  $("by-user").hidden = own();
  $("start").hidden = !starting || !own();
  $("user").value = asked.user;
  for (const button of $("some-users").children) button.setAttribute("aria-pressed", `${button.dataset.user === asked.user}`);
  $("year-from").value = asked.from;
  $("year-to").value = asked.to;
  $("years-wrong").hidden = !yearsWrong();
  const told = own() || version?.histories !== false;  // else the server refuses
  $("include").closest("label").hidden = !told;
  if (!told) asked.include = false;
  $("include").checked = asked.include;
  $("order").value = asked.order;
  $("least").value = asked.least;
  for (const button of $("genres").children) button.setAttribute("aria-pressed", `${asked.genres.includes(button.dataset.genre)}`);
  $("filter-count").textContent = filterCount() ? `(${filterCount()})` : "";
  drawMarks();
  if (!$("start").hidden) drawPicks();
}

async function look() {
  const before = version;
  version = await get("version");
  learn(version.item);
  const names = { unseen_top_10: "top-10 accuracy", unseen_top_100: "top-100 accuracy", rmse: "RMSE" };
  const facts = [["model", version.model_version], [say("{items}"), version.films.toLocaleString()], ["users", version.users?.toLocaleString() ?? "?"],
    ...Object.entries(names).filter(([key]) => key in version.metrics).map(([key, name]) => [name, version.metrics[key].toFixed(3)])];
  $("about").replaceChildren(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, `${value}`))));
  if (before && before.model_version === version.model_version) return false;
  $("genres").replaceChildren(...version.genres.map((genre) =>
    make("button", { type: "button", "data-genre": genre, onclick: () => toggleGenre(genre) }, genre)));
  asked.genres = asked.genres.filter((genre) => version.genres.includes(genre));
  $("year-from").placeholder = version.years?.oldest ?? "";
  $("year-to").placeholder = version.years?.newest ?? "";
  $("years").hidden = !version.years;
  $("by-stars").hidden = !version.stars;
  for (const option of $("order").options) option.hidden = ("stars" in option.dataset && !version.stars) || ("years" in option.dataset && !version.years);
  for (const [bound, value] of Object.entries({ min: version.stars?.lowest, max: version.stars?.highest })) $("least")[bound] = value ?? "";
  const known = version.histories ? (await get("users")).user_ids : [];
  $("users").replaceChildren(...known.map((id) => make("option", { value: id })));
  $("some-users").replaceChildren(...known.slice(0, 8).map((id) =>
    make("button", { type: "button", "data-user": id, onclick: () => chooseUser(id) }, `User ${id}`)));
  picks = [];
  draw();
  return Boolean(before);
}

function changed() {
  asked.k = FIRST;
  draw();
  show();
}

function toggleGenre(genre) {
  asked.genres = asked.genres.includes(genre) ? asked.genres.filter((one) => one !== genre) : [...asked.genres, genre];
  changed();
}

function chooseUser(id) {
  forget();
  told.clear();
  asked.user = id;
  changed();
}

function takeFilters() {
  Object.assign(asked, { from: $("year-from").value, to: $("year-to").value, include: $("include").checked, order: $("order").value, least: $("least").value });
  changed();
}

function clear() {
  Object.assign(asked, FILTERS, { order: asked.order });
  changed();
}

// The movies that the address names, for their titles.
async function meet() {
  const strange = marks().filter((id) => !movies.has(id));
  await Promise.all(strange.map((id) => get(`films/${encodeURIComponent(id)}`)
    .then((movie) => movies.set(id, movie)).catch(() => unmark(id))));
}

async function poll() {
  if (!document.hidden) {
    try {
      if (await look()) {
        toast(`A new model is being served: version ${version.model_version}.`);
        if (starting) await offer();
        await show();
      }
    } catch (error) {
      toast(error.message);
    }
  }
  setTimeout(poll, POLL);
}

for (const radio of document.querySelectorAll("[name=mode]")) {
  radio.addEventListener("change", () => {
    asked.mode = radio.value;
    forget();
    told.clear();
    starting = own();
    changed();
    if (starting) start(true);
  });
}
for (const id of ["year-from", "year-to", "include", "order", "least"]) $(id).addEventListener("change", takeFilters);
$("clear").addEventListener("click", clear);
$("more-filters").addEventListener("click", () => $("filters").showModal());
$("by-user").addEventListener("submit", (event) => { event.preventDefault(); chooseUser($("user").value.trim()); });
$("more").addEventListener("click", () => { asked.k = Math.min(MOST, asked.k + page()); show(); });
$("others").addEventListener("click", () => { const next = offered + $("picks").children.length; offered = next < picks.length ? next : 0; drawPicks(); });
$("done").addEventListener("click", () => { start(false); $("results").focus(); });
$("pick").addEventListener("click", () => start(true));
$("forget").addEventListener("click", () => { forget(); starting = own(); changed(); if (starting) start(true); });
for (const dialog of [$("filters"), $("detail")]) {
  const close = dialog === $("detail") ? closeMovie : () => dialog.close();
  dialog.querySelector(".close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
}
addEventListener("popstate", async (event) => {
  depth = event.state?.depth ?? 0;
  const another = event.state ? reopen() : recall(ORDERS);
  if (asked.open) refill(); else shut();
  if (!another) return;
  starting = own() && !marks().length;
  await meet();
  draw();
  show();
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, dialog")) return;
  event.preventDefault();
  $("search").focus();
});
// As a link it would change the address, which is what is asked.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("results").hidden ? $("picks").querySelector(".face").focus() : $("results").focus(); });
searchBox($("search"), $("suggestions"), openMovie, (error) => toast(error.message));
onOutage((gone) => {
  $("outage").hidden = !gone;
  if (!gone) toast("The server is back.");
});

try {
  recall(ORDERS);
  await look();
  starting = own() && !marks().length && !filterCount();
  await Promise.all([meet(), starting ? offer() : null]);
  draw();
  [$("genres"), $("some-users")].forEach(reveal);
  await Promise.all([show(), asked.open ? refill() : null]);
} catch (error) {
  $("source").textContent = error.message;
}
setTimeout(poll, POLL);
