// One movie, large: what it is, why it fits, what the visitor thinks of it, and what is like it.
import { get } from "./api.js";
import { bar, given, make, meta, say, spoken, title } from "./parts.js";
import { poster } from "./posters.js";
import { conditions, filterCount } from "./state.js";
import { acts, keys, predicted, rate, tile } from "./tiles.js";

const NEAR = 12;

function reasons(movie, own) {
  if (movie.because_kind === "genre") return make("p", {}, `Because you like ${movie.because_genre}.`);
  if (movie.because_kind === "popularity") return make("p", {}, "It is popular with others.");
  if (!movie.because?.length) return null;
  const most = movie.because[0].weight;
  return make("section", { class: "because" }, make("h3", {}, own ? "Because you like" : "Because you rated"),
    make("ul", {}, movie.because.map((one) => make("li", { title: `${one.title} adds ${one.weight.toFixed(2)} to the score` },
      bar(one.weight / most), make("span", {}, spoken(one.title)),
      !own && one.rating !== null ? make("b", {}, make("span", { class: "sr" }, "with "), given(one.rating)) : null))));
}

// Fills the dialog; `movie` may come from a list, with stars and reasons, or by its id alone.
export async function fill(body, movie, how) {
  const unknown = movie.predicted_rating === undefined && how.user && how.scale;
  const asking = unknown ? get("rating", { user_id: how.user, movie_id: movie.movie_id }) : null;
  asking?.catch(() => {});  // waited for below
  const stars = make("div", { hidden: true });
  const near = make("div", { "aria-busy": "true" });
  body.replaceChildren(...[
    make("div", { class: "hero", onkeydown: keys(movie, how) }, poster(movie), make("div", {},
      make("h2", { id: "detail-title", tabindex: "-1" }, title(movie)),
      make("p", { class: "meta" }, meta(movie)),
      unknown ? stars : predicted(movie, how), rate(movie, how), acts(movie, how, true), reasons(movie, how.own))),
    near].filter(Boolean));
  const found = await get(`films/${encodeURIComponent(movie.movie_id)}/similar`, { k: NEAR, ...conditions() });
  if (asking) {
    const { rating, known_user: known } = await asking;
    stars.replaceChildren(predicted({ predicted_rating: rating }, { ...how, known }) ?? "");
    stars.hidden = false;
  }
  const within = filterCount() ? " within your filters" : "";
  near.removeAttribute("aria-busy");
  near.append(make("h3", {}, `Like ${title(movie)}${within}`), found.items.length
    ? make("ul", { class: "tiles near" }, found.items.map((one) => tile(one, how)))
    : make("p", {}, say("No {item} is left: widen the filters.")));
  return found.items;
}
