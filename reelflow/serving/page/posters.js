// A poster for every movie, drawn here: colour and picture by genre, its title set in type.
import { icon, make, title } from "./parts.js";

// By genre, in order of how much it says of a movie: hue, saturation, and the path of a picture.
const LOOKS = {
  "western": [28, 55, "M12 21v-6m0 0V6a2 2 0 0 1 4 0v9h-4zm0 0H8a2 2 0 0 1-2-2v-2m10 2h2a2 2 0 0 0 2-2V9M4 21h16"],
  "film-noir": [215, 16, "M2.5 15.5c4.5 3 14.5 3 19 0-1-1.5-2.5-2.2-4-2.5L15.6 7.2c-.4-1.6-2-1.7-3.6-.7-1.6-1-3.2-.9-3.6.7L6.5 13c-1.5.3-3 1-4 2.5zM6.8 12c3 1.6 7.4 1.6 10.4 0"],
  "war": [75, 22, "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6l7-3zM12 8v8M8.5 11h7"],
  "musical": [312, 45, "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zm10-2a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z"],
  "music": [312, 45, "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zm10-2a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z"],
  "documentary": [190, 26, "M4 8h10a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-6a2 2 0 0 1 2-2zm12 4l6-3v8l-6-3M6 5h4"],
  "horror": [352, 62, "M5 21V11a7 7 0 0 1 14 0v10l-2.5-2-2.3 2-2.2-2-2.2 2-2.3-2L5 21zM9 10.5v1.5m6-1.5v1.5"],
  "animation": [45, 70, "M12 3l2.4 6.2L21 12l-6.6 2.8L12 21l-2.4-6.2L3 12l6.6-2.8L12 3z"],
  "children": [24, 75, "M12 3a6 6 0 0 1 6 6c0 4-3 7-6 7s-6-3-6-7a6 6 0 0 1 6-6zm0 13l-1.5 2h3L12 16zm0 2c0 2 2 1.5 2 3.5"],
  "family": [24, 75, "M12 3a6 6 0 0 1 6 6c0 4-3 7-6 7s-6-3-6-7a6 6 0 0 1 6-6zm0 13l-1.5 2h3L12 16zm0 2c0 2 2 1.5 2 3.5"],
  "sci-fi": [205, 65, "M12 6.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM7 14.5c-3 2-5 3.5-4 4.5s7-2 12-6 7.5-8 6.5-9-3.5.5-6 2.5"],
  "fantasy": [268, 45, "M19 14.5A8 8 0 1 1 10 4a6.5 6.5 0 0 0 9 10.5zM17 3v4m-2-2h4"],
  "romance": [338, 58, "M12 20.5S3.5 15.5 3.5 9.2A4.7 4.7 0 0 1 12 6.5a4.7 4.7 0 0 1 8.5 2.7c0 6.3-8.5 11.3-8.5 11.3z"],
  "mystery": [248, 34, "M12 4a5 5 0 0 1 2.5 9.3L16 21H8l1.5-7.7A5 5 0 0 1 12 4z"],
  "crime": [8, 40, "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm4.7 11.2L21 21M8 9.5a3 3 0 0 1 3-2.5"],
  "thriller": [172, 44, "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z"],
  "adventure": [142, 42, "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zm4 5l-2.5 5.5L8 16l2.5-5.5L16 8z"],
  "action": [15, 78, "M13 2.5L5 13.5h6l-1 8 9-11.5h-6.5l.5-7.5z"],
  "comedy": [38, 82, "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM8.5 9v1m7-1v1M7.5 14c1 2 2.5 3 4.5 3s3.5-1 4.5-3"],
  "drama": [228, 42, "M4 5c3 1 6 1 9 0v6c0 4-2 6-4.5 7.5C6 17 4 15 4 11V5zm9 3c2 .5 4.5.3 7-.5v5c0 4-2 6-4.5 7.5-1.3-.6-2.5-1.5-3.3-2.7M7 9.5h1m2 0h1m-4 4c1-1 2-1 3 0"],
};
const PLAIN = [0, 0, "M4 4h16v16H4zM8 4v16m8-16v16M4 8h4m-4 4h4m-4 4h4m8-8h4m-4 4h4m-4 4h4"];

function number(text) {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  return hash >>> 0;
}

// Movies without a genre that has a picture take a colour of their genre's name, or of their own.
function look(movie) {
  const names = movie.genres.map((genre) => genre.toLowerCase());
  const known = Object.keys(LOOKS).find((genre) => names.includes(genre));
  if (known) return LOOKS[known];
  return [number(names[0] ?? movie.movie_id) % 360, names.length ? 45 : 12, PLAIN[2]];
}

export function poster(movie) {
  const [hue, saturation, path] = look(movie);
  const name = title(movie).replace(/ \([^)]*\)$/, "");  // titles in other languages
  const own = number(movie.movie_id);
  const node = make("span", { class: "poster", "aria-hidden": "true" },
    icon(path, { class: "glyph" }),
    make("span", { class: "name" }, name),
    make("span", { class: "year" }, movie.year ? `${movie.year}` : ""));
  const longest = Math.max(...name.split(/[\s-]+/).map((word) => word.length));
  const size = Math.min(15, 100 / Math.max(longest, 6) * 1.25, 62 / Math.sqrt(name.length));
  for (const [property, value] of Object.entries({
    "--hue": hue + own % 17 - 8, "--saturation": `${saturation}%`, "--lean": `${120 + own % 5 * 22}deg`,
    "--size": `${size.toFixed(1)}cqi`, "--x": `${own % 3 * 22 - 12}%`, "--y": `${own % 4 * 8}%`,
  })) node.style.setProperty(property, value);
  return node;
}
