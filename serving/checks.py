"""Requests held against the catalogue that will answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fastapi import Request

from ratings.errors import BadInput
from serving.catalogue import Film
from serving.engine import Engine
from serving.filters import Where
from serving.messages import Filtered
from serving.problems import Problem
from serving.state import State, state

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Asked:
    """One request with the engine that answers it, from its first check to its answer."""

    def __init__(self, server: State) -> None:
        """Take the engine in use now."""
        self._server = server
        self.engine: Engine = server.versions.engine
        self.version = self.engine.version

    async def ask(
        self, answer_all: Callable[[Sequence[Question]], Sequence[Answer]], question: Question
    ) -> Answer:
        """An answer, together with what others ask at the moment."""
        return await self._server.batcher.ask(answer_all, question)

    def film(self, movie_id: str) -> Film:
        """A film of the catalogue.

        Raises:
            Problem: 404, there is none.
        """
        if movie_id not in self.engine.rows:
            raise Problem(404, f"There is no film with the id {movie_id!r}.")
        return self.engine.films[self.engine.rows[movie_id]]

    def films(self, movie_ids: Sequence[str], field: str) -> tuple[str, ...]:
        """Ids of films that exist.

        Raises:
            Problem: 422, some do not.
        """
        unknown = [repr(film) for film in movie_ids if film not in self.engine.rows]
        if unknown:
            raise Problem(422, f"{field}: there is no film with the id {', '.join(unknown[:5])}.")
        return tuple(movie_ids)

    def where(self, request: Filtered) -> Where:
        """A filter that can be applied.

        Raises:
            Problem: 422, a genre does not exist, or the years are the wrong way round.
        """
        where = Where(tuple(request.genres), request.year_from, request.year_to)
        try:
            self.engine.filters.check(where)
        except BadInput as error:
            raise Problem(422, str(error)) from error
        if None not in (where.year_from, where.year_to) and where.year_from > where.year_to:  # type: ignore[operator]
            raise Problem(422, "year_from is later than year_to.")
        return where

    def histories_allowed(self) -> None:
        """Make sure that the answer may tell what a user has rated.

        Raises:
            Problem: 403.
        """
        if not self._server.histories:
            raise Problem(403, "Switched off here: it would tell what users have rated.")


def asked(request: Request) -> Asked:
    """What a route works with."""
    return Asked(state(request))
