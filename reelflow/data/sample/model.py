"""The world behind the synthetic sample: movies in niches, users with drifting tastes, sessions.

Movies belong to niches, small groups that share a place in a latent space spanned by genres. A user
has a place there too, and moves a little from one session to the next. A session is made of runs:
a few movies in a row from one niche. Within a niche, movies are watched by popularity, and only
once they are released. What a user thinks of a movie depends on how near the two are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reelflow.base.common import SECONDS_PER_DAY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GENRES: Final = tuple(
    "Action Adventure Animation Children Comedy Crime Documentary Drama Fantasy Film-Noir Horror "
    "Musical Mystery Romance Sci-Fi Thriller War Western".split()
)
DIMENSIONS: Final = 12  # of the latent space
MOVIES_PER_NICHE: Final = 20
NICHES_MAX: Final = 400  # bounds the work for one session
WATCHED: Final = slice(0, 7)  # the dimensions that decide what a user watches
LIKED: Final = slice(4, 12)  # and those that decide what the user thinks of it
TASTE: Final = 2.2  # how strongly a user's place decides what is watched
BROADER: Final = 0.7  # factor of that when a user has seen what is near, and looks further
DRAWS: Final = 3.0  # movies drawn in a round for each that is missing; many are drawn twice
BEGIN: Final = 946_684_800  # 2000-01-01, in seconds since 1970
YEARS: Final = 18  # that the ratings span
YEAR: Final = 365.25 * SECONDS_PER_DAY
END: Final = BEGIN + int(YEARS * YEAR)
SESSION: Final = 25  # movies in a session, on average
ROUNDS: Final = 12  # of drawing movies before the last few are taken at random
BLOCK_RATINGS: Final = 100_000  # ratings in memory at a time


@dataclass(frozen=True)
class Movies:
    """The catalogue. `F` movies, sorted by niche; `C` niches."""

    years: Ints  # [F] release years
    genres: npt.NDArray[np.bool_]  # [F, GENRES]; a row without any means that none is listed
    released: Ints  # [F] seconds since 1970
    popularity: Floats  # [F] cumulative within all niches: niche c ends at c + 1
    niche: Ints  # [F]
    niche_mass: Floats  # [C] logarithm of the summed popularity
    niche_place: Floats  # [C, WATCHED]
    place: Floats  # [F, LIKED]
    quality: Floats  # [F] stars above or below the mean


def make_movies(count: int, rng: np.random.Generator) -> Movies:
    """Make a catalogue of `count` movies; about one in fifty is never watched at all."""
    niches = int(np.clip(count // MOVIES_PER_NICHE, 4, NICHES_MAX))
    genre_place = rng.normal(size=(len(GENRES), DIMENSIONS)) / np.sqrt(DIMENSIONS)
    # Drama and Comedy are common, Film-Noir is rare.
    common = rng.permutation(1.0 / np.arange(1, len(GENRES) + 1) ** 0.7)
    main = rng.choice(len(GENRES), size=(niches, 2), p=common / common.sum())
    niche_place = genre_place[main[:, 0]] + 0.6 * genre_place[main[:, 1]]
    niche_place += rng.normal(size=niche_place.shape) * 0.7 / np.sqrt(DIMENSIONS)

    niche = np.sort(rng.integers(0, niches, size=count))
    niche[:niches] = np.arange(niches)  # no niche is empty
    niche.sort()
    place = niche_place[niche] + rng.normal(size=(count, DIMENSIONS)) * 0.35 / np.sqrt(DIMENSIONS)
    genres = np.zeros((count, len(GENRES)), dtype=np.bool_)
    rows = np.arange(count)
    genres[rows, main[niche, 0]] = True
    second = rng.random(count) < 0.6
    genres[rows[second], main[niche[second], 1]] = True
    third = rng.random(count) < 0.25
    genres[rows[third], rng.integers(0, len(GENRES), third.sum())] = True
    genres[rng.random(count) < 0.01] = False

    weight = np.exp(rng.normal(size=count) * 1.7)
    quality = 0.32 * rng.normal(size=count) + 0.1 * np.log(weight)  # good movies are seen more
    weight[rng.permutation(count)[: max(1, count // 50)]] = 0.0
    mass = np.bincount(niche, weight, niches)
    share = np.divide(weight, mass[niche], out=np.zeros(count), where=mass[niche] > 0)
    popularity: Floats = np.minimum(_cumulative_within(share, niche), 1.0)
    # Years lean towards the present, from 1930 to the last year of the ratings.
    years = 2000 + YEARS - 1 - np.floor(88 * rng.beta(0.9, 2.6, size=count)).astype(np.int64)
    years[-1] = years[0]  # they share their title
    return Movies(
        years=years,
        genres=genres,
        released=((years - 1970) * YEAR).astype(np.int64),
        popularity=popularity + niche,
        niche=niche,
        niche_mass=np.log(mass + 1e-9),
        niche_place=niche_place[:, WATCHED],
        place=place[:, LIKED],
        quality=quality - quality.mean(),
    )


def ratings_per_user(users: int, total: int, most: int, rng: np.random.Generator) -> Ints:
    """Draw each user's number of ratings: long-tailed, at least 20 if possible, `total` in sum."""
    least = min(20, total // users)
    share = np.exp(rng.normal(size=users) * 1.1)
    counts = np.full(users, least, dtype=np.int64)
    while (left := total - int(counts.sum())) > 0:
        share[counts >= most] = 0.0
        more = np.floor(left * share / share.sum()).astype(np.int64)
        if not more.any():  # the rest, fewer than there are users, goes to the most active
            more[np.argsort(-share, kind="stable")[:left]] = 1
        counts = np.minimum(counts + more, most)
    return counts


def rate(
    movies: Movies, counts: Ints, seed: np.random.SeedSequence
) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Make ratings by blocks of users, so that memory is bounded whatever the size.

    Args:
        movies: the catalogue.
        counts: ratings of each user, int64 [U].
        seed: every block draws from a child of its own.

    Yields:
        user, movie (positions), half stars (1 to 10) and seconds since 1970: int64 [R] each, sorted
        by user, then movie.
    """
    block = np.cumsum(counts) // BLOCK_RATINGS
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    for start, stop, child in zip(
        starts, [*starts[1:], len(counts)], seed.spawn(len(starts)), strict=True
    ):
        rng = np.random.default_rng(child)
        # Users with low numbers joined first.
        joined = BEGIN + (np.arange(start, stop) + rng.random(stop - start)) / len(counts) * (
            0.9 * YEARS * YEAR
        )
        user, movie, half_stars, when = _rate_block(movies, counts[start:stop], joined, rng)
        yield user + start, movie, half_stars, when


def _rate_block(
    movies: Movies, counts: Ints, joined: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints, Ints]:
    """Make the ratings of one block of users."""
    users = len(counts)
    taste = rng.normal(size=(users, DIMENSIONS)) * 1.1
    bias = rng.normal(size=users) * 0.38
    clock = joined.astype(np.int64)
    kept_key = np.empty(0, dtype=np.int64)  # user * movies + movie
    kept_when = np.empty(0, dtype=np.int64)
    kept_near = np.empty(0)
    size = len(movies.years)
    for round_ in range(ROUNDS + 1):
        missing = counts - np.bincount(kept_key // size, minlength=users)
        if not missing.any():
            break
        if round_ < ROUNDS:
            focus = TASTE * BROADER**round_
            user, movie, when, near = _draw(movies, missing, taste, clock, focus, rng)
        else:
            user, movie, when, near = _draw_rest(movies, missing, clock, rng)
        key = np.concatenate([kept_key, user * size + movie])
        # The first time counts, as no user rates a movie twice; then no more than is missing.
        _, first = np.unique(key, return_index=True)
        first.sort()
        order = first[np.argsort(key[first] // size, kind="stable")]
        of_user = key[order] // size
        rank = np.arange(len(order)) - np.searchsorted(of_user, of_user)
        order = order[rank < counts[of_user]]
        kept_key = key[order]
        kept_when = np.concatenate([kept_when, when])[order]
        kept_near = np.concatenate([kept_near, near])[order]
    user, movie = np.divmod(kept_key, size)
    stars = 3.15 + bias[user] + movies.quality[movie] + 0.55 * kept_near
    stars += rng.normal(size=len(stars)) * 0.64
    half_stars = np.clip(np.rint(2 * stars), 1, 10).astype(np.int64)
    order = np.argsort(kept_key, kind="stable")
    return user[order], movie[order], half_stars[order], kept_when[order]


def _draw(
    movies: Movies,
    missing: Ints,
    taste: Floats,
    clock: Ints,
    focus: float,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, Ints, Floats]:
    """Draw more movies than are missing, in the order in which they are watched.

    Moves `taste` and `clock` forward in place. Returns user, movie, seconds and nearness [D].
    """
    slots = np.where(missing > 0, np.ceil(missing * DRAWS).astype(np.int64) + 4, 0)
    user = np.repeat(np.arange(len(slots)), slots)
    begins = np.diff(user, prepend=-1) != 0
    session_begins = begins | (rng.random(len(user)) < 1 / SESSION)
    run_begins = session_begins | (rng.random(len(user)) < 1 / 3)
    session = np.cumsum(session_begins) - 1
    session_user = user[session_begins]

    # A random walk through the latent space, one step a session: tastes drift.
    steps = rng.normal(size=(len(session_user), DIMENSIONS)) * 0.16
    place = taste[session_user] + _cumulative_within(steps, session_user)
    # About two months between sessions, less for those who have many to come before the end.
    gap = np.minimum(60 * SECONDS_PER_DAY, 0.4 * (END - clock) / (1 + slots / SESSION))[
        session_user
    ]
    start = clock[session_user] + _cumulative_within(
        np.ceil(gap * rng.exponential(size=len(gap))).astype(np.int64), session_user
    )
    # Whole pages are rated at once: many ratings share their second.
    pauses = rng.integers(0, 90, len(user)) * (rng.random(len(user)) < 0.6)
    when = start[session] + _cumulative_within(pauses, session)
    last = np.flatnonzero(np.diff(session_user, append=-1))
    taste[session_user[last]] = place[last]
    clock[session_user[last]] = start[last] + SECONDS_PER_DAY // 24

    niche = _pick_niches(movies, place, session[run_begins], focus, rng)[np.cumsum(run_begins) - 1]
    movie = np.searchsorted(movies.popularity, niche + rng.random(len(niche)), side="right")
    movie = np.minimum(movie, len(movies.years) - 1)
    near = np.einsum("ij,ij->i", place[session][:, LIKED], movies.place[movie])
    out = movies.released[movie] <= when
    return user[out], movie[out], when[out], near[out]


def _draw_rest(
    movies: Movies, missing: Ints, clock: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints, Floats]:
    """Take all movies ever watched, in random order at the end, for the few users short of some."""
    watched = np.flatnonzero(np.diff(movies.popularity, prepend=0.0) > 0)
    short = np.flatnonzero(missing)
    movie = np.concatenate([rng.permutation(watched) for _ in short])
    user = np.repeat(short, len(watched))
    return user, movie, np.maximum(clock[user], END), np.zeros(len(user))


def _pick_niches(
    movies: Movies, place: Floats, session: Ints, focus: float, rng: np.random.Generator
) -> Ints:
    """Draw the niche of each run, int64 [runs], by taste and mass; sessions are ascending."""
    picks = np.empty(len(session), dtype=np.int64)
    many = max(1, 4_000_000 // len(movies.niche_mass))  # sessions at a time: some 32 MB
    for low in range(0, len(place), many):
        part = slice(*np.searchsorted(session, [low, low + many]))
        logits = focus * place[low : low + many, WATCHED] @ movies.niche_place.T + movies.niche_mass
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        edges = np.cumsum(shares, axis=1)
        edges /= edges[:, -1:]
        row = session[part] - low
        flat = (edges + np.arange(len(edges))[:, None]).ravel()
        places = np.searchsorted(flat, row + rng.random(len(row)), side="right")
        picks[part] = np.minimum(places - row * edges.shape[1], edges.shape[1] - 1)
    return picks


def _cumulative_within(values: npt.NDArray[Any], group: Ints) -> npt.NDArray[Any]:
    """Return the running sum along axis 0 that begins anew wherever `group` changes."""
    total = np.cumsum(values, axis=0)
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    lengths = np.diff([*first, len(group)])
    return np.asarray(total - np.repeat(total[first] - values[first], lengths, axis=0))
