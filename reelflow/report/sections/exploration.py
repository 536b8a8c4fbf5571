"""The exploration: ratings by value, time, movies' and people's attributes, and the extremes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reelflow.base.columns import RATING_SPLITS
from reelflow.base.nouns import MOVIE, Noun
from reelflow.data.exploration import (
    DAMPING,
    NO_STATE,
    Exploration,
    Group,
    RatedMovie,
    explore_times_and_extremes,
)
from reelflow.data.tallies import Ratings
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Sizes
from reelflow.report.blocks import Block, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars
from reelflow.report.words import counted

PRIVACY = (
    "Personal attributes are told of because the configuration opts in to them (data.use_users). A "
    "group of few people can give away single ones: do not publish it."
)
_ORDERED = ("Decade", "Age")
"""Attributes whose values have an order of their own."""


def exploration_section(
    found: Exploration, titles: Mapping[str, str], noun: Noun = MOVIE
) -> Section:
    """Show all figures of an exploration.

    Args:
        found: the figures.
        titles: of the movies, by id.
        noun: the word for an item.
    """
    blocks: list[Block] = []
    if found.values:
        blocks.append(_bars("Ratings by value", found.values, ordered=True))
    if found.weekdays:
        blocks += [
            _bars("Ratings by weekday, in UTC", found.weekdays, ordered=True),
            _bars("Ratings by year", found.years, ordered=True),
        ]
        caption = "Year of the rating: ratings and mean stars"
        blocks.append(_table(caption, ("Year", noun.labels), found.years, folded=True))
    for name, groups in found.movies.items():
        blocks += _attribute(name, groups, noun.many)
    for caption, movies in (
        (f"The best {noun.many}", found.best),
        (f"The worst {noun.many}", found.worst),
        (f"The most divisive {noun.many}", found.divisive),
    ):
        if movies:
            blocks.append(_listed(caption, movies, titles, noun))
    if found.activity:
        header = ("Ratings each", "Users")
        blocks.append(_table("Users by the number of their ratings", header, found.activity))
    if found.people:
        blocks.append(Text(PRIVACY, "bad"))
    for name, groups in found.people.items():
        blocks += _attribute(name, groups, "users")
    lead = (
        "All ratings that are kept, before any split. Of best, worst and most divisive every "
        f"{noun.one} is given {DAMPING} ratings of the overall mean beside its own; "
        f"divisive can be what has {DAMPING} ratings or more."
    )
    return Section("exploration", "Exploration", lead, blocks)


def run_section(data: EncodedData, noun: Noun = MOVIE) -> Section:
    """Show the figures that the section on a run's data does not have: times, and the extremes."""
    ratings = [_rows(getattr(data, split), data.sizes) for split in RATING_SPLITS]
    found = explore_times_and_extremes(ratings, range(len(data.catalogue)))
    titles = dict(zip(map(str, range(len(data.catalogue))), data.catalogue.title, strict=True))
    return exploration_section(found, titles, noun)


def _rows(part: EncodedRatings, sizes: Sizes) -> Ratings:
    known = part.movie_index < sizes.movies
    rows = part if known.all() else part.take(np.flatnonzero(known))
    seconds = rows.timestamp if sizes.has_timestamps else None
    return Ratings(rows.movie_index, rows.rating, seconds)


def _bars(title: str, groups: Sequence[Group], ordered: bool = False) -> Figure:
    most = max(groups, key=lambda group: group.ratings)
    return Figure(
        title,
        Bars([g.name for g in groups], [g.ratings for g in groups], vertical=ordered),
        f"Most, {counted(most.ratings, 'rating')}: {most.name}.",
    )


def _attribute(name: str, groups: Sequence[Group], members: str) -> list[Block]:
    """Draw the counts, and list the means, of the groups that are not few alone."""
    shown = [group for group in groups if group.name != NO_STATE]
    blocks: list[Block] = []
    if shown:
        ordered = name in _ORDERED
        shown = shown if ordered else sorted(shown, key=lambda group: -group.ratings)
        blocks = [_bars(f"Ratings by {_inline(name)}", shown, ordered)]
    header = (name, members.capitalize())
    return [*blocks, _table(f"{name}: ratings and mean stars", header, groups, folded=True)]


def _inline(name: str) -> str:
    return name if name.startswith("US ") else name.lower()


def _table(
    caption: str, header: tuple[str, str], groups: Sequence[Group], folded: bool = False
) -> Table:
    rows = [(g.name, g.members, g.ratings, f"{g.mean:.2f}") for g in groups]
    return Table(caption, (*header, "Ratings", "Mean stars"), rows, folded)


def _listed(
    caption: str, movies: Sequence[RatedMovie], titles: Mapping[str, str], noun: Noun
) -> Table:
    rows = [
        (
            titles.get(movie.movie_id) or movie.movie_id,
            movie.ratings,
            f"{movie.mean:.2f}",
            f"{movie.damped:.2f}",
            f"{movie.deviation:.2f}",
        )
        for movie in movies
    ]
    header = (noun.label, "Ratings", "Mean", "Damped mean", "Damped deviation")
    return Table(caption, header, rows, wide=True)
