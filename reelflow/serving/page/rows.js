// Rows below the list, each for a reason of its own. A row that has too little to show is left out.
import { get, post } from "./api.js";
import { make, many, say, title } from "./parts.js";
import { asked, conditions, marks, MOST } from "./state.js";
import { tile } from "./tiles.js";

const LENGTH = 12, LEAST = 4, OF_GENRES = 2, DEEP = 200;

function row(heading, note, items, how) {
  return make("section", { class: "row-of-tiles" }, make("h2", {}, heading), note ? make("p", { class: "note" }, note) : null,
    make("ul", { class: "tiles strip", tabindex: "0", "aria-label": heading }, items.map((movie) => tile(movie, how))));
}

// Movies of a long list that few have rated, by predicted stars.
function gems(items) {
  const counts = items.map((movie) => movie.rating_count).sort((a, b) => a - b);
  const few = counts[Math.floor(counts.length / 4)] ?? 0;
  const rare = items.filter((movie) => movie.rating_count <= few);
  return [rare.sort((a, b) => (b.predicted_rating ?? 0) - (a.predicted_rating ?? 0)).slice(0, LENGTH), few];
}

// Fills `place` with rows, one by one, for what `question` asks and what `profile` says.
// `shown` are the movies of the list above, which no row repeats.
export async function rows(place, { question, profile, shown, how, signal }) {
  place.replaceChildren();
  const taken = new Set([...shown, ...marks(), ...(asked.include ? [] : profile?.films ?? []).map((movie) => movie.movie_id)]);
  const fresh = (items) => items.filter((movie) => !taken.has(movie.movie_id));
  const add = (heading, note, items) => {
    if (items.length < LEAST) return;
    items.forEach((movie) => taken.add(movie.movie_id));
    place.append(row(heading, note, items, how));
  };
  const ask = (more) => post("recommendations", { ...question, explain: false, order: "blend", ...more }, signal);

  // Asked at once; shown in this order.
  const reasons = liked(profile);
  const near = reasons.map((movie) => get(`films/${encodeURIComponent(movie.movie_id)}/similar`, { k: 4 * LENGTH, ...conditions() }, signal));
  const long = ask({ k: DEEP });
  const genres = asked.genres.length ? [] : (profile?.genres ?? []).slice(0, OF_GENRES).map((one) => one.name);
  const of = genres.map((genre) => ask({ genres: [genre], k: 3 * LENGTH }));
  const popular = post("recommendations", { ...conditions(), k: MOST }, signal);
  for (const promise of [...near, ...of, long, popular]) promise.catch(() => {});  // the loop below takes the first failure
  for (const [i, movie] of reasons.entries()) {
    add(`Because you liked ${title(movie)}`, "", fresh((await near[i]).items).slice(0, LENGTH));
  }
  const [rare, few] = gems(fresh((await long).items));
  add("Hidden gems", few ? say(`Of the best ${many(DEEP)}, those with ${few.toLocaleString()} ratings or fewer.`) : "", rare);
  for (const [i, genre] of genres.entries()) add(`${genre} for you`, "", fresh((await of[i]).items).slice(0, LENGTH));
  add("Popular now", "", fresh((await popular).items).slice(0, LENGTH));
}

// Up to two movies that speak for themselves: marked as liked, else the newest with the best stars.
function liked(profile) {
  const films = profile?.films ?? [];
  const best = Math.max(...films.map((movie) => movie.rating ?? 0));
  const own = asked.liked.length ? films.filter((movie) => asked.liked.includes(movie.movie_id)) : films.filter((movie) => movie.rating !== null && movie.rating >= best);
  return own.slice(0, 2);
}

