"""Figures about ratings that a person looks at before, or without, a model.

Counts and means by value, time, genre, decade and other attributes of movies; the best, worst and
most divisive movies; users by how active they are, and by their attributes only if these are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from reelflow.base.columns import (
    AGE,
    FEATURES,
    GENDER,
    GENRES,
    MOVIE_ID,
    OCCUPATION,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
    YEAR,
    ZIP_CODE,
)
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.data import tallies
from reelflow.data.ingest.outcome import rehearse
from reelflow.data.ingest.partition import Ratings
from reelflow.data.ingest.results import IngestSummary
from reelflow.data.inspection import open_folder
from reelflow.data.us_states import state_of

DAMPING: Final = 10
"""Ratings of the overall mean that every movie is given beside its own, so that a movie with two
ratings of five stars is not the best of all."""
LISTED: Final = 10
"""Movies in a list of the best."""
MOST_GROUPS: Final = 20
"""Groups of one attribute: the most rated ones."""
NO_STATE: Final = "no US zip code"
"""In the place of a state, for users whose zip code cannot be one."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ACTIVE: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1 << 62)
"""Least ratings of each group of users."""


@dataclass(frozen=True)
class Group:
    """Ratings that have something in common."""

    name: str
    ratings: int
    mean: float
    """Stars."""
    members: int
    """Movies, or users, that they are of."""


@dataclass(frozen=True)
class RatedMovie:
    """A movie in a list of the best."""

    movie_id: str
    ratings: int
    mean: float
    """Stars."""
    damped: float
    """The mean with `DAMPING` ratings of the overall mean beside its own."""
    deviation: float
    """Standard deviation of its ratings from its mean, damped by the overall variance; stars."""


@dataclass(frozen=True)
class Exploration:
    """All figures."""

    values: Sequence[Group]
    """By the value of the rating, ascending."""
    weekdays: Sequence[Group]
    """Monday to Sunday in UTC; empty without times."""
    years: Sequence[Group]
    """By the year of the rating in UTC, ascending; empty without times."""
    movies: Mapping[str, Sequence[Group]]
    """By attributes of the movies."""
    best: Sequence[RatedMovie]
    worst: Sequence[RatedMovie]
    divisive: Sequence[RatedMovie]
    """Of movies with `DAMPING` ratings or more: two opposite ones say little."""
    activity: Sequence[Group]
    """Users by the number of their ratings."""
    people: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    """By attributes of users."""


def explore(
    ratings: pd.DataFrame,
    movies: Mapping[str, pd.Series],
    people: Mapping[str, pd.Series] | None = None,
) -> Exploration:
    """Take all figures.

    Args:
        ratings: `user_id`, `movie_id`, `rating` (stars) and `timestamp` (seconds, missing where it
            is not known).
        movies: attribute to its values by `movie_id`; a movie may have several values, and then
            stands in as many rows.
        people: the same of users by `user_id`.
    """
    codes, ids = pd.factorize(ratings[MOVIE_ID], sort=True)
    return replace(
        explore_times_and_extremes(_numbered(ratings, codes), ids),
        values=_groups(ratings, ratings[RATING], MOVIE_ID),
        movies=_by_attribute(ratings, movies, MOVIE_ID),
        activity=_activity(ratings),
        people=_by_attribute(ratings, people or {}, USER_ID),
    )


def explore_times_and_extremes(
    ratings: Sequence[tallies.Ratings], movies: Sequence[object]
) -> Exploration:
    """Take the figures by time, and of the best, worst and most divisive movies, alone.

    Args:
        ratings: some after the other.
        movies: the id of each movie, by its position.
    """
    found = tallies.by_movie(ratings, len(movies))
    weight = found.counts + DAMPING
    damped = (found.counts * found.means + DAMPING * found.mean) / weight
    deviation = np.sqrt((found.counts * found.variances + DAMPING * found.variance) / weight)

    def listed(key: tallies.Float64, least: int = 1) -> list[RatedMovie]:
        rated = np.flatnonzero(found.counts >= least)
        first = rated[np.argsort(key[rated], kind="stable")][:LISTED].tolist()
        columns = (found.counts, found.means, damped, deviation)
        return [RatedMovie(str(movies[at]), *(c[at].item() for c in columns)) for at in first]

    return Exploration(
        values=[],
        weekdays=[
            Group(WEEKDAYS[day.value], day.ratings, day.mean, day.movies)
            for day in tallies.by_weekday(ratings, len(movies))
        ],
        years=[
            Group(str(year.value), year.ratings, year.mean, year.movies)
            for year in tallies.by_year(ratings, len(movies))
        ],
        movies={},
        best=listed(-damped),
        worst=listed(damped),
        divisive=listed(-deviation, DAMPING),
        activity=[],
    )


def explore_folder(
    config: Config, folder: str, progress: Callable[[int], None] | None = None
) -> tuple[Exploration, IngestSummary, dict[str, str]]:
    """Take the figures of the ratings that a run would keep of a folder.

    All ratings are in memory, some 40 bytes each.

    Args:
        config: as for a run; people are told of only with `data.use_users`.
        folder: the data folder, or a pattern of spans.
        progress: called with the bytes read since the last call.

    Returns:
        The figures; the counts of what was read; the movies' titles by id.

    Raises:
        BadInput: the folder cannot be read as ratings.
    """
    source, window = open_folder(config, folder)
    parts: list[Ratings] = []
    outcome = rehearse(source, config.data, config.split, window, progress, parts.append)
    ratings = pd.concat([_frame(part) for part in parts], ignore_index=True)
    if ratings.empty:
        raise BadInput(f"{folder}: there is no rating to tell of.", "See reelflow data inspect.")
    ratings[USER_ID] = ratings[USER_ID].astype("category")
    described = outcome.movies.to_pandas().set_index(MOVIE_ID)
    found = explore(ratings, _of_movies(described), _of_people(outcome.described.users))
    return found, outcome.summary, described[TITLE].to_dict()


def _frame(part: Ratings) -> pd.DataFrame:
    times = np.full(len(part), np.nan) if part.timestamp is None else part.timestamp
    users, movies = (np.asarray(ids.to_pylist(), object) for ids in (part.users, part.movies))
    columns = {USER_ID: users[part.user], MOVIE_ID: movies[part.movie]}
    return pd.DataFrame({**columns, RATING: part.rating.astype(np.float64), TIMESTAMP: times})


def _numbered(ratings: pd.DataFrame, movies: tallies.Int64) -> list[tallies.Ratings]:
    """Return the ratings with positions of movies, int64 [rows]; first those with a time."""
    stars, times = ratings[RATING].to_numpy(), ratings[TIMESTAMP].to_numpy(np.float64)
    timed = ~np.isnan(times)
    return [
        tallies.Ratings(movies[timed], stars[timed], times[timed].astype(np.int64)),
        tallies.Ratings(movies[~timed], stars[~timed], None),
    ]


def _of_movies(movies: pd.DataFrame) -> dict[str, pd.Series]:
    """Return genres, decades and declared features, a row for each value of a movie."""
    found = {"Genre": movies[GENRES].explode(), "Decade": _decades(movies[YEAR])}
    if FEATURES in movies.columns:
        words = movies[FEATURES].explode().dropna().str.partition("=")
        for name, own in words.groupby(0):
            found[str(name).capitalize()] = own[2]
    return found


def _decades(years: pd.Series) -> pd.Series:
    known = years.dropna().astype(int)
    return (known // 10 * 10).astype(str) + "s"


def _of_people(users: pa.Table | None) -> dict[str, pd.Series]:
    """Return what is known of users; zip codes are told as states, wrong ones as such."""
    if users is None:
        return {}
    people = users.to_pandas().set_index(USER_ID)
    zips = people[ZIP_CODE].dropna()
    states = zips.map(lambda code: state_of(code) or NO_STATE)
    ages = people[AGE].dropna().astype(int)
    return {
        "Gender": people[GENDER],
        "Age": ages,
        "Occupation": people[OCCUPATION],
        "US state": states.astype(object),
    }


def _groups(ratings: pd.DataFrame, by: pd.Series, member: str) -> list[Group]:
    """Count by a value of each rating, in the order of the values."""
    found = ratings.groupby(by).agg(
        ratings=(RATING, "size"), mean=(RATING, "mean"), members=(member, "nunique")
    )
    return [
        Group(_text(name), int(row.ratings), float(row.mean), int(row.members))
        for name, row in zip(found.index, found.itertuples(), strict=True)
    ]


def _by_attribute(
    ratings: pd.DataFrame, attributes: Mapping[str, pd.Series], key: str
) -> dict[str, list[Group]]:
    """Count by the values of each attribute, those with the most ratings; without empty ones."""
    found = {}
    for name, values in attributes.items():
        joined = ratings.merge(values.dropna().rename(name), left_on=key, right_index=True)
        groups = _groups(joined, joined[name], key)
        if len(groups) > MOST_GROUPS:
            least = sorted((group.ratings for group in groups), reverse=True)[MOST_GROUPS - 1]
            groups = [group for group in groups if group.ratings >= least][:MOST_GROUPS]
        if groups:
            found[name] = groups
    return found


def _activity(ratings: pd.DataFrame) -> list[Group]:
    counts = ratings[USER_ID].map(ratings[USER_ID].value_counts())
    steps = pd.cut(counts, list(_ACTIVE), right=False, labels=False)
    groups = _groups(ratings, steps, USER_ID)
    return [replace(group, name=_range(int(group.name))) for group in groups]


def _range(step: int) -> str:
    first, after = _ACTIVE[step], _ACTIVE[step + 1]
    if after == _ACTIVE[-1]:
        return f"{first:,} or more"
    return f"{first}" if after == first + 1 else f"{first} to {after - 1}"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
