// A poster for every movie, drawn here: colour and picture by genre, its title set in type.
import { icon, make, title } from "./parts.js";

// By genre, in order of how much it says of a movie: colour and picture. The last is for all others.
const LOOKS = await (await fetch("page/genre_looks.json")).json();

function number(text) {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  return hash >>> 0;
}

// Movies without a genre that has a picture take a colour of their genre's name, or of their own.
function look(movie) {
  const names = movie.genres.map((genre) => genre.toLowerCase());
  const known = Object.keys(LOOKS).find((genre) => genre && names.includes(genre));
  if (known) return LOOKS[known];
  const { saturation, path } = LOOKS[""];
  return { hue: number(names[0] ?? movie.movie_id) % 360, saturation: names.length ? 45 : saturation, path };
}

export function poster(movie) {
  const { hue, saturation, path } = look(movie);
  const name = title(movie).replace(/ \([^)]*\)$/, "");  // titles in other languages
  const own = number(movie.movie_id);
  const node = make("span", { class: "poster", "aria-hidden": "true" },
    icon(path, { class: "glyph" }),
    make("span", { class: "name" }, name),
    make("span", { class: "year" }, movie.year ? `${movie.year}` : ""),
    // Its own picture lies above the drawn one, which stays where the picture does not come.
    movie.poster ? make("img", { src: movie.poster, alt: "", loading: "lazy", onerror: (event) => event.target.remove() }) : null);
  const longest = Math.max(...name.split(/[\s-]+/).map((word) => word.length));
  const size = Math.min(15, 100 / Math.max(longest, 6) * 1.25, 62 / Math.sqrt(name.length));
  for (const [property, value] of Object.entries({
    "--hue": hue + own % 17 - 8, "--saturation": `${saturation}%`, "--lean": `${120 + own % 5 * 22}deg`,
    "--size": `${size.toFixed(1)}cqi`, "--x": `${own % 3 * 22 - 12}%`, "--y": `${own % 4 * 8}%`,
  })) node.style.setProperty(property, value);
  return node;
}
