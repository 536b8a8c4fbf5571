"""Reasons of lists: one call of `explain` for all, chosen so that they differ, and as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reelflow.base.columns import HISTORY, MOVIE_ID, STARS, USER_ID
from reelflow.saved_model import reasons
from reelflow.saved_model.contract import EXPLAIN, FROM_POPULARITY
from reelflow.serving import messages as m
from reelflow.serving.lists import Cell, Ranked

if TYPE_CHECKING:
    from reelflow.serving.engine import Engine


def named_reasons(
    engine: Engine, ranked: Ranked, rows: Sequence[int]
) -> dict[Cell, list[reasons.Reason]]:
    """Return the movies that are named as reasons, by request and column of the answer.

    Args:
        engine: whose lists they are.
        ranked: the lists.
        rows: requests that ask for reasons.
    """
    asking = set(rows)
    cells = [cell for cell in ranked.cells() if cell[0] in asking]
    if not cells:
        return {}
    rows, columns = (list(part) for part in zip(*cells, strict=True))
    # One history for all rows, which is the usual case, is told once.
    told = rows[:1] if len(asking) == 1 or not any(map(any, ranked.inputs[HISTORY])) else rows
    inputs = {name: [ranked.inputs[name][row] for row in told] for name in (HISTORY, STARS)}
    inputs[USER_ID] = [ranked.inputs[USER_ID][row] for row in rows]
    answer = engine.ask(EXPLAIN, {**inputs, MOVIE_ID: ranked.answer[MOVIE_ID][rows, columns]})
    of_request: dict[int, list[list[reasons.Reason]]] = {row: [] for row in rows}
    for row, candidates in zip(rows, reasons.candidates(answer), strict=True):
        of_request[row].append(candidates)
    chosen = {row: iter(reasons.choose(lists)) for row, lists in of_request.items()}
    return {cell: next(chosen[cell[0]]) for cell in cells}


def why(engine: Engine, ranked: Ranked, rows: Sequence[int]) -> dict[Cell, dict[str, Any]]:
    """Return the fields of messages that say why, by request and column of the answer.

    Args:
        engine: whose lists they are.
        ranked: the lists.
        rows: requests that ask for reasons.
    """
    because = named_reasons(engine, ranked, rows)
    without = sorted(
        {
            row
            for (row, _), named in because.items()
            if not named and ranked.sources[row] != FROM_POPULARITY
        }
    )
    liked = _genres_of_liked(engine, without, ranked.inputs)
    told: dict[Cell, dict[str, Any]] = {}
    for cell, named in because.items():
        genre = None
        if not named:
            movie = engine.movies[engine.rows[ranked.answer[MOVIE_ID][cell].decode()]]
            genre = reasons.favourite_genre(liked.get(cell[0], ()), movie.genres)
        told[cell] = {
            "because": [_message(engine, one) for one in named],
            "because_kind": (
                reasons.MOVIES if named else reasons.GENRE if genre else reasons.POPULARITY
            ),
            "because_genre": genre,
        }
    return told


def _message(engine: Engine, reason: reasons.Reason) -> m.ReasonMessage:
    return m.ReasonMessage(
        movie_id=reason.movie_id,
        title=engine.movies[engine.rows[reason.movie_id]].title,
        weight=reason.weight,
        rating=engine.stars_or_none(reason.rating),
    )


def _genres_of_liked(
    engine: Engine, rows: Sequence[int], histories: Mapping[str, Sequence[Any]]
) -> dict[int, list[Sequence[str]]]:
    """Return the genres of each movie that a user has rated well, by request."""
    if not rows:
        return {}
    known = engine.timelines([histories[USER_ID][row] for row in rows])
    liked: dict[int, list[Sequence[str]]] = {}
    for row, (_, timeline) in zip(rows, known, strict=True):
        named = zip(histories[HISTORY][row], histories[STARS][row], strict=True)
        rated = {**timeline, **{movie: stars for movie, stars in named if movie}}
        well = reasons.well_rated(list(rated.values()))
        liked[row] = [
            engine.movies[engine.rows[movie]].genres
            for movie, good in zip(rated, well, strict=True)
            if good
        ]
    return liked
