"""Ranked lists for several requests by one call of the model, and under rules by a second one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from reelflow.base.columns import (
    ALLOWED,
    EXCLUSIONS,
    HISTORY,
    INCLUDE_SEEN,
    MIN_RATING,
    MOVIE_ID,
    ORDER,
    SCORE,
    SOURCE,
    STARS,
    USER_ID,
    K,
)
from reelflow.saved_model.client import Arrays, named_history
from reelflow.saved_model.contract import FROM_POPULARITY, RECOMMEND, Source
from reelflow.serving import messages as m
from reelflow.serving.cursors import DEEPEST, cursor
from reelflow.serving.movie_index import Mask
from reelflow.serving.rules.arrange import arrange, boosted, candidates
from reelflow.serving.rules.catalogued import Catalogued

if TYPE_CHECKING:
    from reelflow.serving.engine import Engine

Cell = tuple[int, int]
"""Request, and column of its movie in the answer."""

_UNKNOWN: Final = {"": math.nan}
"""History of a request that names no movie."""


@dataclass(frozen=True)
class Ranked:
    """Lists of several requests."""

    inputs: dict[str, Any]
    """Of the signature, a row a request."""
    answer: Arrays
    """Of the signature; columns of movies that rules call for stand behind the others."""
    places: npt.NDArray[np.int64]
    """Columns of the answer, the best first, int64 [requests, n]; padded with -1."""
    ends: list[int | None]
    """Number of movies in the pages of each request so far; None if there are no more."""

    @cached_property
    def sources(self) -> list[Source]:
        """Origin of each list."""
        return [cast(Source, source.decode()) for source in self.answer[SOURCE]]

    def cells(self) -> list[Cell]:
        """Return request and column of all movies, list by list, the best first."""
        return [
            (row, column)
            for row, columns in enumerate(self.places.tolist())
            for column in columns
            if column >= 0
        ]

    def next_cursor(self, row: int, version: int) -> str | None:
        """Return the cursor of a request's next page."""
        end = self.ends[row]
        return None if end is None else cursor(version, end)


def rank(engine: Engine, requests: Sequence[m.RecommendRequest], shown: Mask | None) -> Ranked:
    """Rank movies for each request.

    Args:
        engine: the model.
        requests: their ids of movies may be unknown; these count for nothing.
        shown: movies that may be in the lists, bool [requests, movies]; None: all.
    """
    rules = [engine.catalogued(r.rules) if r.rules else None for r in requests]
    histories = [
        named_history(engine.stars, r.liked, r.disliked, r.ratings) or _UNKNOWN for r in requests
    ]
    inputs: dict[str, Any] = {
        USER_ID: [r.user_id or "" for r in requests],
        HISTORY: _padded(histories, ""),
        STARS: _padded((history.values() for history in histories), math.nan),
        EXCLUSIONS: _padded((r.exclusions or [""] for r in requests), ""),
        ORDER: [r.order for r in requests],
        MIN_RATING: [
            _least(r, rule if engine.stars else None)
            for r, rule in zip(requests, rules, strict=True)
        ],
        INCLUDE_SEEN: [r.include_seen for r in requests],
    }
    hidden = [rule.hidden if rule else None for rule in rules]
    fits: Mask | None = shown
    if any(r.has_conditions for r in requests) or any(mask is not None for mask in hidden):
        masks = [engine.filters.mask(request) for request in requests]
        fits = np.stack(
            [
                mask if without is None else mask & ~without
                for mask, without in zip(masks, hidden, strict=True)
            ]
        )
        fits = fits if shown is None else fits & shown
    if fits is not None:
        inputs[ALLOWED] = fits
    movies = len(engine.movies)
    ends = [r.offset + r.k for r in requests]
    wanted = [
        candidates(end, movies) if rule and rule.rearranges else min(end + 1, movies)
        for end, rule in zip(ends, rules, strict=True)
    ]
    answer = engine.ask(RECOMMEND, {**inputs, K: max(wanted)})
    first = answer[MOVIE_ID].shape[1]
    called_for = {
        row: rows
        for row, rule in enumerate(rules)
        if rule and (rows := _called_for(engine, rule, answer[SOURCE][row], fits, row))
    }
    if called_for:
        answer = _with_more(engine, inputs, answer, called_for)
    lists = []
    for row, (request, rule) in enumerate(zip(requests, rules, strict=True)):
        if rule and rule.rearranges:
            found = _arranged(engine, rule, answer, row, wanted[row], first, ends[row] + 1)
        else:
            found = [p for p in range(min(wanted[row], first)) if answer[MOVIE_ID][row, p]]
        lists.append(found[request.offset :])
    more = [len(found) > r.k for found, r in zip(lists, requests, strict=True)]
    places = _padded((found[: r.k] for found, r in zip(lists, requests, strict=True)), -1)
    return Ranked(
        inputs,
        answer,
        np.array(places, np.int64).reshape(len(requests), -1),
        [end if there and end < DEEPEST else None for end, there in zip(ends, more, strict=True)],
    )


def _least(request: m.RecommendRequest, rule: Catalogued | None) -> float:
    bounds = (request.min_rating, rule.rules.min_rating if rule else None)
    return max((bound for bound in bounds if bound is not None), default=-math.inf)


def _called_for(
    engine: Engine, rule: Catalogued, source: bytes, fits: Mask | None, row: int
) -> list[int]:
    """Return the movies that a list under rules needs, whatever their scores."""
    rows = list(rule.pins)
    count = rule.rules.new_for_strangers
    if count and source.decode() == FROM_POPULARITY:
        allowed = None if fits is None else fits[row if len(fits) > 1 else 0]
        newest = (r for r in engine.filters.newest if allowed is None or allowed[r])
        rows += [r for _, r in zip(range(count), newest, strict=False)]
    return rows


def _with_more(
    engine: Engine, inputs: dict[str, Any], answer: Arrays, called_for: dict[int, list[int]]
) -> Arrays:
    """Return the answer with further columns: those of the movies called for that fit."""
    allowed = np.zeros((len(answer[SOURCE]), len(engine.movies)), np.bool_)
    for row, rows in called_for.items():
        allowed[row, rows] = True
    if ALLOWED in inputs:
        allowed &= inputs[ALLOWED]
    more = engine.ask(
        RECOMMEND, {**inputs, ALLOWED: allowed, K: max(map(len, called_for.values()))}
    )
    return {
        name: column if name == SOURCE else np.concatenate([column, more[name]], axis=1)
        for name, column in answer.items()
    }


def _arranged(
    engine: Engine,
    rule: Catalogued,
    answer: Arrays,
    row: int,
    count: int,
    first: int,
    wanted: int,
) -> list[int]:
    """Return the columns of one list under rules."""
    ids = answer[MOVIE_ID][row]
    columns: dict[int, int] = {}
    for place in [*range(min(count, first)), *range(first, len(ids))]:
        if ids[place]:
            columns.setdefault(engine.rows[ids[place].decode()], place)
    movies = np.array([*columns], np.int64)
    places = [*columns.values()]
    scores = answer[SCORE][row, places].astype(np.float32)
    if rule.boosts is not None and len(movies):
        scores = boosted(scores, rule.boosts[movies])
    number = {movie: at for at, movie in enumerate(columns)}
    top = [number[movie] for movie in rule.pins if movie in number]
    rules = rule.rules
    if rules.new_for_strangers and answer[SOURCE][row].decode() == FROM_POPULARITY:
        newest = [number[r] for r in engine.filters.newest if r in number][
            : rules.new_for_strangers
        ]
        others = [at for at in np.argsort(-scores, kind="stable").tolist() if at not in newest]
        top += [at for pair in zip(others, newest, strict=False) for at in pair]
    vectors = None if engine.vectors is None else engine.vectors[movies]
    chosen = arrange(
        scores,
        top,
        wanted,
        [engine.movies[movie].genres for movie in columns],
        rules.per_genre,
        rules.diversity or 0.0,
        vectors,
    )
    return [places[at] for at in chosen]


def _padded(lists: Iterable[Iterable[Any]], padding: Any) -> list[list[Any]]:
    """Return lists as rows of one length."""
    rows = [list(values) for values in lists]
    length = max(len(row) for row in rows)
    return [row + [padding] * (length - len(row)) for row in rows]
