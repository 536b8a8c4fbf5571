"""Requests held against the catalogue that will answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version as installed
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving import messages as m
from reelflow.serving.batching import State, state
from reelflow.serving.engine import Engine, Like, Pair, Wanted, Whom
from reelflow.serving.filters import Where
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.messages import Filtered

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

    def movie(self, movie_id: str) -> Movie:
        """A movie of the catalogue.

        Raises:
            Problem: 404, there is none.
        """
        if movie_id not in self.engine.rows:
            raise Problem(404, f"There is no movie with the id {movie_id!r}.")
        return self.engine.movies[self.engine.rows[movie_id]]

    def movies(self, movie_ids: Sequence[str], field: str) -> tuple[str, ...]:
        """Ids of movies that exist.

        Raises:
            Problem: 422, some do not.
        """
        unknown = [repr(movie) for movie in movie_ids if movie not in self.engine.rows]
        if unknown:
            raise Problem(422, f"{field}: there is no movie with the id {', '.join(unknown[:5])}.")
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


# Our own JSON API, `/api/v1`: everything the page shows, for applications too.


_LIMITS: Final = Limits()
router = APIRouter(prefix="/api/v1", responses=m.ERRORS)
Text = Annotated[str, Query(max_length=_LIMITS.id_length)]


@router.post("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend(request: Request, body: m.RecommendRequest) -> m.Recommendations:
    """Movies that a user has not rated, best first, or movies like those in `liked`."""
    return await _recommend(asked(request), body)


@router.get("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend_by_url(
    request: Request, query: Annotated[m.RecommendRequest, Query()]
) -> m.Recommendations:
    """The same, with everything in the URL."""
    return await _recommend(asked(request), query)


async def _recommend(to: Asked, body: m.RecommendRequest) -> m.Recommendations:
    wanted = Wanted(
        user_id=body.user_id or "",
        liked=to.movies(body.liked, "liked"),
        k=body.k,
        exclusions=to.movies(body.exclusions, "exclusions"),
        where=to.where(body),
        include_seen=body.include_seen,
        explain=body.explain,
    )
    if body.user_id and (body.include_seen or body.explain):
        to.histories_allowed()
    picks = await to.ask(to.engine.recommend, wanted)
    items = [
        m.RecommendedMovie.of(
            pick.movie,
            score=pick.score,
            predicted_rating=pick.rating,
            seen=pick.seen,
            because=[
                m.ReasonMessage(movie_id=r.movie.movie_id, title=r.movie.title, weight=r.weight)
                for r in pick.because
            ]
            if body.explain
            else None,
        )
        for pick in picks.items
    ]
    return m.Recommendations(model_version=to.version, source=picks.source, items=items)


@router.get("/rating", tags=["Recommendations"], summary="Predicted rating")
async def rate(
    request: Request,
    user_id: Annotated[m.Id, Query(description="Need not be known.")],
    movie_id: Annotated[m.Id, Query()],
) -> m.PredictedRating:
    """The stars that a user would give a movie."""
    to = asked(request)
    to.movie(movie_id)
    rated = await to.ask(to.engine.rate, Pair(user_id, movie_id))
    return m.PredictedRating(
        model_version=to.version,
        user_id=user_id,
        movie_id=movie_id,
        rating=rated.rating,
        known_user=rated.known_user,
        like=rated.like,
    )


@router.get("/films", tags=["Movies"], summary="Find movies by title")
async def movies(
    request: Request,
    search: Annotated[Text, Query(description="Beginning of words; errors forgiven.")] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> m.Movies:
    """Movies whose titles begin with the text, or hold such words, or look like it."""
    to = asked(request)
    found = await run_in_threadpool(to.engine.search.find, search, limit)
    return m.Movies(model_version=to.version, items=[m.MovieMessage.of(movie) for movie in found])


@router.get("/films/{movie_id:path}/similar", tags=["Movies"], summary="Similar movies")
async def similar(
    request: Request, movie_id: m.Id, query: Annotated[m.SimilarRequest, Query()]
) -> m.SimilarMovies:
    """Movies that are most like a movie, by the cosine of what the model learned of them."""
    to = asked(request)
    movie = to.movie(movie_id)
    near = await to.ask(to.engine.similar, Like(movie_id, query.k, to.where(query)))
    return m.SimilarMovies(
        model_version=to.version,
        film=m.MovieMessage.of(movie),
        items=[m.SimilarMovie.of(one.movie, score=one.score) for one in near],
    )


@router.get("/films/{movie_id:path}", tags=["Movies"], summary="One movie")
async def movie(request: Request, movie_id: m.Id) -> m.MovieMessage:
    """A movie of the catalogue."""
    return m.MovieMessage.of(asked(request).movie(movie_id))


@router.get("/users", tags=["Users"], summary="Some known users")
async def users(request: Request) -> m.Users:
    """A few users whom the model knows, to try it with."""
    to = asked(request)
    to.histories_allowed()
    return m.Users(model_version=to.version, user_ids=list(to.engine.sample_users))


@router.get("/profile", tags=["Users"], summary="What the model knows about a user")
async def profile(
    request: Request,
    user_id: Annotated[m.Id | None, Query()] = None,
    liked: Annotated[list[m.Id], Query(max_length=_LIMITS.movies)] = [],  # noqa: B006
    k: Annotated[m.Count, Query(description="Movies to name.")] = 20,
) -> m.ProfileMessage:
    """The movies that a user has rated, as the model remembers them, and those in `liked`."""
    to = asked(request)
    if user_id:
        to.histories_allowed()
    whom = Whom(user_id or "", to.movies(liked, "liked"), k)
    found = await to.ask(to.engine.profile, whom)
    return m.ProfileMessage(
        model_version=to.version,
        known=found.known,
        count=found.count,
        films=[m.MovieMessage.of(movie) for movie in found.movies],
        genres=[m.ShareMessage(name=s.name, films=s.movies) for s in found.genres],
        decades=[m.ShareMessage(name=s.name, films=s.movies) for s in found.decades],
    )


@router.get("/version", tags=["Server"], summary="The model being served")
async def version(request: Request) -> m.Version:
    """Which version of which model answers, and what it was measured at."""
    to = asked(request)
    users, years = to.engine.info.users, to.engine.filters.years
    return m.Version(
        model_version=to.version,
        reelflow=installed("reelflow"),
        films=len(to.engine.movies),
        users=users if isinstance(users, int) else None,
        genres=to.engine.filters.genres,
        years=m.Years(oldest=years[0], newest=years[1]) if years else None,
        histories=state(request).histories,
        metrics=dict(await run_in_threadpool(to.engine.metrics)),
    )


@router.get("/health", tags=["Server"], summary="Whether the process lives")
async def health() -> m.State:
    """Always, if the process can answer at all."""
    return m.State(status="ok")


@router.get("/ready", tags=["Server"], summary="Whether requests are welcome")
async def ready(request: Request) -> m.State:
    """Not while the server stops, nor while too many requests wait."""
    if state(request).stopping or state(request).batcher.full:
        raise Problem(503, "The server is busy or stopping.", {"Retry-After": "1"})
    return m.State(status="ready")
