// What the model knows of a user, or of the visitor.
import { given, make, many, say, shares, spoken } from "./parts.js";
import { asked } from "./state.js";

const LISTED = 12, GENRES = 8;

function opinion(movie, user) {
  if (movie.movie_id in asked.stars) return given(asked.stars[movie.movie_id]);
  if (asked.liked.includes(movie.movie_id)) return "liked";
  if (asked.disliked.includes(movie.movie_id)) return "not liked";
  return user && movie.rating !== null ? given(movie.rating) : "";
}

// `profile` is the API's, or null where the server tells none.
export function showProfile(place, profile, user) {
  const wide = matchMedia("(min-width: 64rem)").matches;
  const heading = user ? `What the model knows about user ${user}` : "What the model knows about you";
  const content = [];
  if (!profile) content.push(make("p", {}, "Histories are switched off on this server."));
  else if (!profile.films.length) {
    content.push(make("p", {}, user ? "Nothing: it has no ratings of this user."
      : say("Nothing yet. It learns from the {items} that you mark; they are kept in this page's address, and nowhere else.")));
  } else {
    const marked = profile.films.length - (user ? profile.count : 0);
    content.push(make("p", {}, user ? `${profile.count.toLocaleString()} ratings.` : `${many(marked)} that you marked, kept in this page's address.`),
      shares("Genres", profile.genres.slice(0, GENRES)), shares("Decades", profile.decades),
      make("section", {}, make("h3", {}, user ? "Rated last" : say("{Items}")), make("ul", { class: "titles" },
        profile.films.slice(0, LISTED).map((movie) => make("li", {}, `${spoken(movie.title)} `, make("small", {}, opinion(movie, user)))))));
  }
  place.replaceChildren(make("details", { open: wide }, make("summary", {}, make("h2", {}, heading)), content));
}
