// A movie as a tile: its poster, how well it fits, and what a visitor may do with it.
import { bar, given, icon, make, meta, short, shown, stars, title } from "./parts.js";
import { poster } from "./posters.js";

export const ICONS = {
  liked: "M12 20.5S3.5 15.5 3.5 9.2A4.7 4.7 0 0 1 12 6.5a4.7 4.7 0 0 1 8.5 2.7c0 6.3-8.5 11.3-8.5 11.3z",
  disliked: "M6 6l12 12M18 6L6 18",
  seen: "M4 12.5l5 5L20 6.5",
};
const WORDS = { liked: "Like", disliked: "Not for me", seen: "Seen" };
const KEYS = { l: "liked", d: "disliked", s: "seen" };

// One of five stars, on the data's own scale.
export function worth(place, scale) {
  const zero = Math.min(0, scale.lowest);
  return Math.max(scale.lowest, zero + place / 5 * (scale.highest - zero));
}

// The buttons of a movie. `how.mark(movie, list, stars)` sets a mark, and takes it away where it is set.
export function acts(movie, how, named = false) {
  if (!how.mark) return null;
  const now = how.marked(movie.movie_id);
  return make("div", { class: "acts", role: "group", "aria-label": `Your opinion of ${title(movie)}` },
    Object.keys(WORDS).map((list) =>
      make("button", { type: "button", class: "act", "data-list": list, title: WORDS[list], "aria-pressed": `${now === list}`,
        "aria-label": `${WORDS[list]}: ${title(movie)}`, onclick: () => how.mark(movie, list) },
        icon(ICONS[list]), named ? WORDS[list] : null)));
}

// Five stars to click.
export function rate(movie, how) {
  if (!how.mark || !how.scale) return null;
  const now = how.rating(movie.movie_id);
  return make("div", { class: "rate", role: "group", "aria-label": `Your stars for ${title(movie)}` },
    [1, 2, 3, 4, 5].map((place) => {
      const value = worth(place, how.scale);
      return make("button", { type: "button", "aria-label": `${shown(value, how.scale)} of ${how.scale.highest}`,
        class: now !== null && now >= value ? "on" : "", "aria-pressed": `${now === value}`,
        onclick: () => how.mark(movie, "rated", value) }, "★");
    }),
    now === null ? make("small", {}, "Rate it") : make("small", {}, `You: ${given(now)}`));
}

export function predicted(movie, { known, scale }) {
  const rating = movie.predicted_rating;
  if (rating === null || rating === undefined || !scale) return null;
  const whose = `of ${scale.highest}, predicted for ${known ? "this user" : "an average user"}`;
  return make("span", { class: "predicted", title: `${rating.toFixed(2)} ${whose}` }, stars(rating, scale), ` ${shown(rating, scale)}`,
    make("span", { class: "sr" }, ` ${whose}`));
}

// How each score stands to the best one of its list, 0 to 1; a score by itself says nothing.
export function matches(items) {
  const scores = items.map((movie) => movie.score);
  const best = Math.max(...scores), zero = Math.min(0, ...scores);
  return scores.map((score) => best > zero ? (score - zero) / (best - zero) : 1);
}

export function why(movie, own) {
  if (movie.because_kind === "genre") return `Because you like ${movie.because_genre}`;
  if (movie.because_kind === "popularity") return "Popular with others";
  if (!movie.because?.length) return "";
  return `Because you ${own ? "like" : "rated"} ${short(movie.because[0].title)}`;
}

// Keys of a movie that has the focus.
export function keys(movie, how) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !how.mark) return;
    if (KEYS[event.key]) how.mark(movie, KEYS[event.key]);
    else if (how.scale && event.key >= "1" && event.key <= "5") how.mark(movie, "rated", worth(Number(event.key), how.scale));
    else return;
    event.preventDefault();
  };
}

// `how` has: `open(movie)`, `mark` (absent where nothing can be marked), `marked(id)`, `rating(id)`, `scale` of the stars,
// `known` for a user whom the model knows, `own` for a visitor's own taste. `match` is 0 to 1, or null.
export function tile(movie, how, match = null) {
  const reason = match === null ? "" : why(movie, how.own);  // of popular ones all are the same
  const now = how.marked(movie.movie_id);
  return make("li", { class: "tile", "data-movie": movie.movie_id, "data-mark": now ?? undefined, onkeydown: keys(movie, how) },
    make("div", { class: "art" },
      make("h3", {}, make("button", { type: "button", class: "face", onclick: () => how.open(movie), "aria-haspopup": "dialog",
        title: [title(movie), meta(movie)].filter(Boolean).join("\n") },
        poster(movie), make("span", { class: "sr" }, title(movie)))),
      acts(movie, how),
      movie.seen ? make("span", { class: "badge" }, how.own ? "named" : "rated") : null),
    movie.poster ? make("p", { class: "caption", "aria-hidden": "true" }, title(movie)) : null,
    match === null ? null : make("div", { class: "match", title: `Fits ${Math.round(100 * match)} % as well as the best of this list` }, bar(match),
      make("span", { class: "sr" }, `Fits ${Math.round(100 * match)} % as well as the best of this list`)),
    predicted(movie, how),
    reason ? make("p", { class: "why", title: reason }, reason) : null);
}

// A poster to click at the start.
export function pick(movie, chosen, toggle) {
  return make("li", { class: "tile pick", "data-movie": movie.movie_id },
    make("button", { type: "button", class: "face", "aria-pressed": `${chosen}`, onclick: () => toggle(movie), title: meta(movie) },
      poster(movie), make("span", { class: "sr" }, title(movie)), make("span", { class: "tick" }, icon(ICONS.seen))));
}
