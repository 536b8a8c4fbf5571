"""The built-in synthetic sample: invented movies and ratings, laid out as MovieLens CSVs.

The titles have the oddities of real catalogues.
"""

from __future__ import annotations

import csv
import filecmp
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from reelflow.data.sample.model import GENRES, Movies, make_movies, rate, ratings_per_user

USERS: Final = 600
MOVIES: Final = 1_500
RATINGS: Final = 60_000
SEED: Final = 42

README: Final = """\
SYNTHETIC DATA

These files were made by a program: no person rated anything and none of the movies exist.
They have the layout of the MovieLens CSV releases and some of their traits, so that Reelflow
can be tried where there is no data. Figures measured on them say nothing about real movies.

users {users}, movies {movies}, ratings {ratings}, seed {seed}
"""
_HALF_STARS: Final = np.array([f"{half / 2:.1f}" for half in range(11)])


def write_sample(
    folder: Path,
    *,
    users: int = USERS,
    movies: int = MOVIES,
    ratings: int = RATINGS,
    seed: int = SEED,
) -> Path:
    """Write `ratings.csv`, `movies.csv` and a `README.txt` that says what they are.

    The same arguments give the same bytes. Files that are there already and identical are left
    alone, modification times included; others are replaced as a whole or not at all.

    Args:
        folder: where to write; created if need be.
        users: number of users, each with at least 20 ratings (fewer if `ratings` are too few).
        movies: number of movies, at least 40; about 1 in 20 has no rating.
        ratings: number of ratings; at most a third of `users * movies`.
        seed: of everything.

    Returns:
        The folder.

    Raises:
        ValueError: the numbers do not fit together.
    """
    if movies < 40 or users < 1 or not users <= ratings <= users * movies // 3:
        raise ValueError(f"no sample of {ratings} ratings by {users} users for {movies} movies")
    folder.mkdir(parents=True, exist_ok=True)
    # One stream for each part, so that a change to one leaves the others as they are.
    for_movies, for_titles, for_counts, for_ratings = np.random.SeedSequence(seed).spawn(4)
    made = make_movies(movies, np.random.default_rng(for_movies))
    # Positions are grouped by niche, numbers must not tell: shuffle, and leave gaps as real ids do.
    rng = np.random.default_rng(for_titles)
    steps = rng.choice([1, 2, 3], size=movies, p=[0.8, 0.15, 0.05])
    ids = np.empty(movies, dtype=np.int64)
    ids[rng.permutation(movies)] = np.cumsum(steps)
    titles = invent_titles(movies, made.years, rng)

    with _replaced(folder / "movies.csv") as out:
        out.write(_movies_csv(made, ids, titles).encode())
    counts = ratings_per_user(users, ratings, 2 * movies // 5, np.random.default_rng(for_counts))
    with _replaced(folder / "ratings.csv") as out:
        out.write(b"userId,movieId,rating,timestamp\n")
        for user, movie, half_stars, seconds in rate(made, counts, for_ratings):
            movie_id = ids[movie]
            order = np.lexsort((movie_id, user))
            columns = (user + 1, movie_id, _HALF_STARS[half_stars], seconds)
            # Joined as Arrow strings: their buffer is the text, without a Python object per row.
            strings = [compute.cast(pa.array(c[order]), pa.string()) for c in columns]
            rows = compute.binary_join_element_wise(*strings, ",")
            lines = compute.binary_join_element_wise(rows, "", "\n")
            out.write(lines.buffers()[2].to_pybytes())
    with _replaced(folder / "README.txt") as out:
        text = README.format(users=users, movies=movies, ratings=ratings, seed=seed)
        out.write(text.encode())
    return folder


def _movies_csv(movies: Movies, ids: npt.NDArray[np.int64], titles: list[str]) -> str:
    """Return the text of `movies.csv`, in order of movieId."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["movieId", "title", "genres"])
    for at in np.argsort(ids).tolist():
        genres = [name for name, has in zip(GENRES, movies.genres[at], strict=True) if has]
        writer.writerow([ids[at], titles[at], "|".join(genres) or "(no genres listed)"])
    return out.getvalue()


ADJECTIVES: Final = (
    "Silent Crimson Borrowed Hollow Golden Forgotten Electric Paper Winter Midnight Second "
    "Broken Distant Hidden Velvet Burning Quiet Reckless Endless Invisible Frozen Wandering Amber "
    "Perfect Crooked Lonely Painted Restless Savage Tender Northern Stolen Patient Glass Iron "
    "Blind Scarlet Sunken Radiant Bitter Gentle Empty Wild Sacred Faithful Secret Copper Drowned "
    "Clever Last"
).split()
NOUNS: Final = (
    "Harbour Orchard Detective Lantern Kingdom Clockmaker Horizon Garden Verdict Traveller "
    "Machine Island Letter Sister Circus Captain Mountain Promise Shadow Piano Stranger Bridge "
    "Engine River Witness Comet Gardener Summer Lighthouse Reckoning Cartographer Window Highway "
    "Falcon Dream Empire Magician Winter Telephone Carnival Frontier Passenger Violin Labyrinth "
    "Storm Colony Widow Astronaut Tower Parade"
).split()
PLACES: Final = (
    "Lisbon Trieste Mars Montana Vienna Havana Kyoto Dublin Tangier Oslo Naples Prague Cairo "
    "Quebec Bergen Samarkand Valparaíso Málaga Kraków Zürich"
).split()
TEMPLATES: Final = (
    "The {a} {n}",
    "{a} {n}",
    "{a} {n}, The",  # as MovieLens files its articles: a title that holds a comma
    "The {n} of {p}",
    "{a} {n} in {p}",
    "Return to the {a} {n}",
    "{n} of the {a} {m}",
    "My {a} {n}",
)

SPECIAL: Final = (
    'The So-Called "Captain" of Oslo',
    "Café Noir, Décembre",
    "Señorita Relámpago",
    "Der Süße Schatten",
    "Łódź, My Love",
    "七つの静かな港",
    "Тихая гавань",
    'Who Said "Never Again", Anyway?',
)
"""Titles with commas, quotes and letters beyond ASCII; every sample of that size has them all."""


def invent_titles(count: int, years: npt.NDArray[np.int64], rng: np.random.Generator) -> list[str]:
    """Invent titles with their years, as `The Silent Harbour (1987)`; all but one pair differ.

    Args:
        count: how many titles, at least 20.
        years: release years, int64 [count].
        rng: source of randomness; the same state gives the same titles.

    Returns:
        `count` titles. The last repeats the first, year included: two movies, one title. One in
        five hundred has no year.
    """
    grams = len(ADJECTIVES) * len(NOUNS)
    names: list[str] = []
    order = rng.permutation(grams * len(TEMPLATES))
    for position in range(count):
        sequel, slot = divmod(position, len(order))
        template, pair = divmod(int(order[slot]), grams)
        adjective, noun = divmod(pair, len(NOUNS))
        name = TEMPLATES[template].format(
            a=ADJECTIVES[adjective],
            n=NOUNS[noun],
            m=NOUNS[(noun * 7 + adjective) % len(NOUNS)],
            p=PLACES[(noun + adjective) % len(PLACES)],
        )
        names.append(name if sequel == 0 else f"{name} {sequel + 1}")
    places = rng.choice(np.arange(1, count - 1), len(SPECIAL), replace=False)
    for special, at in zip(SPECIAL, places.tolist(), strict=True):
        names[at] = special
    titles = [f"{name} ({year})" for name, year in zip(names, years.tolist(), strict=True)]
    for at in rng.choice(np.arange(1, count - 1), count // 500, replace=False).tolist():
        titles[at] = names[at]
    titles[-1] = titles[0]
    return titles


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` at the end, unless both are the same."""
    new = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with new.open("wb") as out:
            yield out
        if not (path.is_file() and filecmp.cmp(new, path, shallow=False)):
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)
