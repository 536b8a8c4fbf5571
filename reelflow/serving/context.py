"""The server's state, which all routes share, and the context of one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving.batching import Answer, Batcher, BatchRequest
from reelflow.serving.engine import Engine
from reelflow.serving.filters import MovieFilter
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.messages import Filtered
from reelflow.serving.metrics import Metrics
from reelflow.serving.versions import Versions


@dataclass
class ServerState:
    """One server; the application keeps it as `app.state.server`."""

    versions: Versions
    limits: Limits
    metrics: Metrics
    histories: bool
    """True if answers may contain what users have rated."""
    stopping: bool = False
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue."""
        self.batcher = Batcher(self.limits, self.metrics.batches.observe)

    @classmethod
    def of(cls, request: Request) -> ServerState:
        """Return the state of the server that a request came to."""
        server: ServerState = request.app.state.server
        return server


class RequestContext:
    """The engine that answers one request, and checks of the request against its catalogue."""

    def __init__(self, server: ServerState) -> None:
        """Take the engine in use now, which answers even if another is loaded meanwhile."""
        self._server = server
        self.engine: Engine = server.versions.engine
        self.version = self.engine.version

    async def ask(
        self,
        answer_all: Callable[[Sequence[BatchRequest]], Sequence[Answer]],
        request: BatchRequest,
    ) -> Answer:
        """Return the answer to a request, which may be answered in one batch with others."""
        return await self._server.batcher.ask(answer_all, request)

    def movie(self, movie_id: str) -> Movie:
        """Return a movie of the catalogue.

        Raises:
            Problem: 404, there is no such movie.
        """
        if movie_id not in self.engine.rows:
            raise Problem(404, f"There is no movie with the id {movie_id!r}.")
        return self.engine.movies[self.engine.rows[movie_id]]

    def movies(self, movie_ids: Sequence[str], field: str) -> tuple[str, ...]:
        """Return ids of movies, all of which exist.

        Raises:
            Problem: 422, some do not.
        """
        unknown = [repr(movie) for movie in movie_ids if movie not in self.engine.rows]
        if unknown:
            raise Problem(422, f"{field}: there is no movie with the id {', '.join(unknown[:5])}.")
        return tuple(movie_ids)

    def movie_filter(self, request: Filtered) -> MovieFilter:
        """Return the filter of a request.

        Raises:
            Problem: 422, a genre does not exist, or the years are the wrong way round.
        """
        movie_filter = MovieFilter(tuple(request.genres), request.year_from, request.year_to)
        try:
            self.engine.filters.check(movie_filter)
        except BadInput as error:
            raise Problem(422, str(error)) from error
        first, last = request.year_from, request.year_to
        if first is not None and last is not None and first > last:
            raise Problem(422, "year_from is later than year_to.")
        return movie_filter

    def check_histories(self) -> None:
        """Check that answers may contain what a user has rated.

        Raises:
            Problem: 403, the server does not allow it.
        """
        if not self._server.histories:
            raise Problem(403, "Switched off here: it would tell what users have rated.")

    @classmethod
    def of(cls, request: Request) -> RequestContext:
        """Return the context of a request."""
        return cls(ServerState.of(request))
