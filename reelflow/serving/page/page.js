// The page: what is asked (kept in the URL, so that it can be shared), what is answered.
import { card, get, given, learn, make, near, post, say, shares, spoken, title } from "./parts.js";
import { searchBox } from "./search.js";

const $ = (id) => document.getElementById(id);
const FIRST = 12, MORE = 12, MOST = 96, POLL = 5000;
const SOURCES = {
  user: (asked) => `From what the model knows of user ${asked.user}.`,
  history: (asked) => [asked.user ? `From what user ${asked.user} has rated since the model was trained.` : say("From the {items} you marked."),
    version.stars ? "Stars are an average user's." : ""].join(" "),
  popularity: (asked) => asked.user
    ? `The model does not know user ${asked.user}: popular ${say("{items}")}.`
    : say("Popular {items}. Add some that you like for {items} of your own."),
};
const FILTERS = { genres: [], from: "", to: "", seen: false, order: "blend", least: "" };
const asked = { mode: "liked", liked: [], disliked: [], user: "", ...FILTERS, k: FIRST };
const movies = new Map();  // every movie met so far, by id, for the chips
let version = null, running = null, toasting = 0;

function toast(text) {
  clearTimeout(toasting);
  $("toast").textContent = text;
  $("toast").hidden = false;
  toasting = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

function whom() {
  return asked.mode === "user" ? { user_id: asked.user || null } : { liked: asked.liked, disliked: asked.disliked };
}

function filters() {
  const stars = version.stars ? { order: asked.order, min_rating: asked.least || null } : {};
  return { genres: asked.genres, year_from: asked.from || null, year_to: asked.to || null, include_seen: asked.seen, ...stars };
}

async function show() {
  remember();
  running?.abort();
  const mine = running = new AbortController();
  $("results").setAttribute("aria-busy", "true");
  const about = whom();
  const own = asked.mode === "liked";
  const question = { ...about, ...filters(), k: asked.k, explain: own || version.histories };
  try {
    const [found, profile] = await Promise.all([
      post("recommendations", question, mine.signal),
      about.user_id && !version.histories ? null : get("profile", { ...about, k: 12 }, mine.signal),
    ]);
    const known = found.source === "user";
    const how = { own, known, scale: version.stars, open: openSimilar, mark: own ? add : null };
    const cards = found.items.map((movie, i) => card(movie, i + 1, how));
    found.items.forEach((movie) => movies.set(movie.movie_id, movie));
    $("source").textContent = SOURCES[found.source]({ user: about.user_id });
    if (!cards.length) $("source").textContent = say("No {item} is left: widen the filters.");
    if (about.user_id && version.movies_for_a_user) {
      $("source").append(` This server tells no histories: it shows ${version.movies_for_a_user} ${say("{items}")} for a user at most.`);
    }
    $("cards").replaceChildren(...cards);
    $("more").hidden = found.items.length < asked.k || asked.k >= MOST;
    showProfile(profile, about);
    if (found.model_version !== version.model_version) await look();
  } catch (error) {
    if (error.name === "AbortError") return;
    $("source").textContent = error.message;
    $("cards").replaceChildren();
    $("more").hidden = true;
  } finally {
    if (running === mine) $("results").removeAttribute("aria-busy");
  }
}

function showProfile(profile, about) {
  const heading = make("h2", {}, about.user_id ? `What the model knows about user ${about.user_id}` : "What the model knows about you");
  if (!profile?.films.length) {
    const why = !profile ? "Histories are switched off on this server."
      : about.user_id ? "Nothing: it has no ratings of this user."
      : say("Nothing yet. It learns from the {items} that you add above, and forgets them when you leave.");
    $("profile").replaceChildren(heading, make("p", {}, why));
    return;
  }
  const count = about.user_id
    ? `${profile.count.toLocaleString()} ratings.`
    : `The ${profile.films.length === 1 ? say("{item}") : `${profile.films.length} ${say("{items}")}`} you marked, for this answer only.`;
  const opinion = (movie) => !about.user_id ? (asked.liked.includes(movie.movie_id) ? "liked" : "not liked")
    : movie.rating !== null ? given(movie.rating) : "";
  const last = make("ul", { class: "titles" }, ...profile.films.map((movie) => make("li", {}, `${spoken(movie.title)} `, make("small", {}, opinion(movie)))));
  $("profile").replaceChildren(...[heading, make("p", {}, count),
    shares("Genres", profile.genres.slice(0, 8)), shares("Decades", profile.decades),
    make("section", {}, make("h3", {}, about.user_id ? "Rated last" : say("{Items}")), last)].filter(Boolean));
}

async function openSimilar(movie) {
  const body = $("similar-body");
  $("similar-title").textContent = `Like ${title(movie)}`;
  body.replaceChildren();
  if (!$("similar").open) $("similar").showModal();
  $("similar-title").focus();  // what had the focus may be gone
  try {
    const found = await get(`films/${encodeURIComponent(movie.movie_id)}/similar`, { k: 12 });
    found.items.forEach((one) => movies.set(one.movie_id, one));
    const mark = (liked, text, list) => asked.mode === "liked" && list.includes(movie.movie_id) ? null
      : make("button", { type: "button", class: liked ? undefined : "plain", onclick: () => { $("similar").close(); add(movie, liked); } }, text);
    body.replaceChildren(make("div", { class: "row" }, mark(true, say("I like this {item}"), asked.liked), mark(false, "Not for me", asked.disliked)),
      make("ul", { class: "near" }, ...found.items.map((one) => near(one, openSimilar))));
  } catch (error) {
    body.replaceChildren(make("p", {}, error.message));
  }
}

function add(movie, liked = true) {
  movies.set(movie.movie_id, movie);
  drop(movie.movie_id);
  asked[liked ? "liked" : "disliked"].push(movie.movie_id);
  asked.mode = "liked";
  asked.k = FIRST;
  draw();
  show();
}

function drop(id) {
  for (const list of ["liked", "disliked"]) asked[list] = asked[list].filter((one) => one !== id);
}

function draw() {
  document.querySelector(`[name=mode][value=${asked.mode}]`).checked = true;
  $("by-liked").hidden = asked.mode !== "liked";
  $("by-user").hidden = asked.mode !== "user";
  $("user").value = asked.user;
  $("year-from").value = asked.from;
  $("year-to").value = asked.to;
  const told = asked.mode === "liked" || version?.histories !== false;  // else the server refuses
  $("seen").closest("label").hidden = !told;
  if (!told) asked.seen = false;
  $("seen").checked = asked.seen;
  $("order").value = asked.order;
  $("least").value = asked.least;
  for (const box of $("genres").querySelectorAll("input")) box.checked = asked.genres.includes(box.value);
  const set = asked.genres.length + [asked.from, asked.to, asked.seen, asked.least, asked.order !== FILTERS.order].filter(Boolean).length;
  $("filter-count").textContent = set ? `(${set})` : "";
  for (const list of ["liked", "disliked"]) {
    $(list).replaceChildren(...asked[list].map((id) => {
      const name = spoken(movies.get(id)?.title ?? id);
      const remove = () => { drop(id); draw(); show(); $("search").focus(); };
      return make("li", {}, make("button", { type: "button", onclick: remove, "aria-label": `Remove ${name}` }, name));
    }));
  }
}

function remember() {
  const parts = new URLSearchParams();
  if (asked.mode === "user") parts.set("user", asked.user);
  else for (const list of ["liked", "disliked"]) for (const id of asked[list]) parts.append(list, id);
  for (const genre of asked.genres) parts.append("genre", genre);
  if (asked.from) parts.set("from", asked.from);
  if (asked.to) parts.set("to", asked.to);
  if (asked.seen) parts.set("seen", "1");
  if (asked.order !== FILTERS.order) parts.set("order", asked.order);
  if (asked.least) parts.set("least", asked.least);
  history.replaceState(null, "", `${parts}` ? `#${parts}` : location.pathname);
}

async function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  Object.assign(asked, {
    mode: parts.has("user") ? "user" : "liked", user: parts.get("user") ?? "", genres: parts.getAll("genre"),
    from: parts.get("from") ?? "", to: parts.get("to") ?? "", seen: parts.has("seen"), least: parts.get("least") ?? "",
    order: [...$("order").options].map((one) => one.value).find((one) => one === parts.get("order")) ?? FILTERS.order, k: FIRST,
  });
  for (const list of ["liked", "disliked"]) {
    const named = await Promise.all(parts.getAll(list).map((id) => get(`films/${encodeURIComponent(id)}`).catch(() => null)));
    asked[list] = named.filter(Boolean).map((movie) => { movies.set(movie.movie_id, movie); return movie.movie_id; });
  }
  asked.disliked = asked.disliked.filter((id) => !asked.liked.includes(id));
  $("filters").open = Object.keys(FILTERS).some((name) => `${asked[name]}` !== `${FILTERS[name]}`);
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
  $("genres").replaceChildren(make("legend", {}, "Genres"), ...version.genres.map((genre) =>
    make("label", {}, make("input", { type: "checkbox", value: genre, onchange: change }), make("span", {}, genre))));
  $("genres").hidden = !version.genres.length;
  asked.genres = asked.genres.filter((genre) => version.genres.includes(genre));
  $("year-from").placeholder = version.years?.oldest ?? "";
  $("year-to").placeholder = version.years?.newest ?? "";
  $("by-stars").hidden = !version.stars;
  for (const [bound, value] of Object.entries({ min: version.stars?.lowest, max: version.stars?.highest })) $("least")[bound] = value ?? "";
  const known = version.histories ? (await get("users")).user_ids : [];
  $("users").replaceChildren(...known.map((id) => make("option", { value: id })));
  const pick = (id) => () => { asked.user = id; asked.k = FIRST; draw(); show(); };
  $("some-users").replaceChildren(...known.slice(0, 8).map((id) => make("button", { type: "button", onclick: pick(id) }, `User ${id}`)));
  draw();
  return Boolean(before);
}

function change() {
  asked.genres = [...$("genres").querySelectorAll("input:checked")].map((box) => box.value);
  asked.from = $("year-from").value;
  asked.to = $("year-to").value;
  asked.seen = $("seen").checked;
  asked.order = $("order").value;
  asked.least = $("least").value;
  asked.k = FIRST;
  draw();
  show();
}

async function poll() {
  try {
    if (!document.hidden && await look()) {
      toast(`A new model is being served: version ${version.model_version}.`);
      await show();
    }
  } catch {
    toast("The server does not answer.");
  }
  setTimeout(poll, POLL);
}

for (const radio of document.querySelectorAll("[name=mode]")) {
  radio.addEventListener("change", () => { asked.mode = radio.value; asked.k = FIRST; draw(); show(); });
}
for (const id of ["year-from", "year-to", "seen", "order", "least"]) $(id).addEventListener("change", change);
$("clear").addEventListener("click", () => { Object.assign(asked, FILTERS); draw(); show(); });
$("by-user").addEventListener("submit", (event) => { event.preventDefault(); asked.user = $("user").value.trim(); asked.k = FIRST; draw(); show(); });
$("more").addEventListener("click", () => { asked.k = Math.min(MOST, asked.k + MORE); show(); });
$("close").addEventListener("click", () => $("similar").close());
$("similar").addEventListener("click", (event) => { if (event.target === $("similar")) $("similar").close(); });
window.addEventListener("hashchange", async () => { await recall(); draw(); show(); });
// As a link it would change the hash, which is what is asked.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("results").focus(); });
searchBox($("search"), $("suggestions"), add, (error) => toast(error.message));

try {
  await recall();
  await look();
  await show();
} catch (error) {
  $("source").textContent = error.message;
}
setTimeout(poll, POLL);
