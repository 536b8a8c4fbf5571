"""The JSON API `/api/v1`: everything the page shows, for applications too."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from reelflow.serving import messages as m
from reelflow.serving.context import RequestContext, ServerState
from reelflow.serving.engine import (
    ProfileRequest,
    RatingRequest,
    RecommendationRequest,
    SimilarMoviesRequest,
)
from reelflow.serving.limits import Limits, Problem

_LIMITS: Final = Limits()
router = APIRouter(prefix="/api/v1", responses=m.ERRORS)
Text = Annotated[str, Query(max_length=_LIMITS.id_length)]


@router.post("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend(request: Request, body: m.RecommendRequest) -> m.Recommendations:
    """Movies that a user has not rated, best first, or movies like those in `liked`."""
    return await _recommend(RequestContext.of(request), body)


@router.get("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend_by_url(
    request: Request, query: Annotated[m.RecommendRequest, Query()]
) -> m.Recommendations:
    """The same, with everything in the URL."""
    return await _recommend(RequestContext.of(request), query)


async def _recommend(context: RequestContext, body: m.RecommendRequest) -> m.Recommendations:
    recommendation = RecommendationRequest(
        user_id=body.user_id or "",
        liked=context.movies(body.liked, "liked"),
        k=body.k,
        exclusions=context.movies(body.exclusions, "exclusions"),
        movie_filter=context.movie_filter(body),
        include_seen=body.include_seen,
        explain=body.explain,
    )
    if body.user_id and (body.include_seen or body.explain):
        context.check_histories()
    answer = await context.ask(context.engine.recommend, recommendation)
    items = [
        m.RecommendedMovie.of(
            item.movie,
            score=item.score,
            predicted_rating=item.rating,
            seen=item.seen,
            because=[
                m.ReasonMessage(movie_id=r.movie.movie_id, title=r.movie.title, weight=r.weight)
                for r in item.because
            ]
            if body.explain
            else None,
        )
        for item in answer.items
    ]
    return m.Recommendations(model_version=context.version, source=answer.source, items=items)


@router.get("/rating", tags=["Recommendations"], summary="Predicted rating")
async def rate(
    request: Request,
    user_id: Annotated[m.Id, Query(description="Need not be known.")],
    movie_id: Annotated[m.Id, Query()],
) -> m.PredictedRating:
    """The stars that a user would give a movie."""
    context = RequestContext.of(request)
    context.movie(movie_id)
    answer = await context.ask(context.engine.rate, RatingRequest(user_id, movie_id))
    return m.PredictedRating(
        model_version=context.version,
        user_id=user_id,
        movie_id=movie_id,
        rating=answer.rating,
        known_user=answer.known_user,
        like=answer.like,
    )


@router.get("/films", tags=["Movies"], summary="Find movies by title")
async def movies(
    request: Request,
    search: Annotated[Text, Query(description="Beginning of words; errors forgiven.")] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> m.Movies:
    """Movies whose titles begin with the text, or hold such words, or look like it."""
    context = RequestContext.of(request)
    matches = await run_in_threadpool(context.engine.search.find, search, limit)
    return m.Movies(
        model_version=context.version, items=[m.MovieMessage.of(movie) for movie in matches]
    )


@router.get("/films/{movie_id:path}/similar", tags=["Movies"], summary="Similar movies")
async def similar(
    request: Request, movie_id: m.Id, query: Annotated[m.SimilarRequest, Query()]
) -> m.SimilarMovies:
    """The nearest movies by the cosine of their embeddings."""
    context = RequestContext.of(request)
    movie = context.movie(movie_id)
    similar_request = SimilarMoviesRequest(movie_id, query.k, context.movie_filter(query))
    items = await context.ask(context.engine.similar, similar_request)
    return m.SimilarMovies(
        model_version=context.version,
        film=m.MovieMessage.of(movie),
        items=[m.SimilarMovie.of(one.movie, score=one.score) for one in items],
    )


@router.get("/films/{movie_id:path}", tags=["Movies"], summary="One movie")
async def movie(request: Request, movie_id: m.Id) -> m.MovieMessage:
    """A movie of the catalogue."""
    return m.MovieMessage.of(RequestContext.of(request).movie(movie_id))


@router.get("/users", tags=["Users"], summary="Some known users")
async def users(request: Request) -> m.Users:
    """A few users that the model knows, to try it with."""
    context = RequestContext.of(request)
    context.check_histories()
    return m.Users(model_version=context.version, user_ids=list(context.engine.sample_users))


@router.get("/profile", tags=["Users"], summary="What the model knows about a user")
async def profile(
    request: Request,
    user_id: Annotated[m.Id | None, Query()] = None,
    liked: Annotated[list[m.Id], Query(max_length=_LIMITS.movies)] = [],  # noqa: B006
    k: Annotated[m.Count, Query(description="Movies to name.")] = 20,
) -> m.ProfileMessage:
    """The movies that a user has rated, as the model knows them, and those in `liked`."""
    context = RequestContext.of(request)
    if user_id:
        context.check_histories()
    user = ProfileRequest(user_id or "", context.movies(liked, "liked"), k)
    answer = await context.ask(context.engine.profile, user)
    return m.ProfileMessage(
        model_version=context.version,
        known=answer.known,
        count=answer.count,
        films=[m.MovieMessage.of(movie) for movie in answer.movies],
        genres=[m.ShareMessage(name=s.name, films=s.movies) for s in answer.genres],
        decades=[m.ShareMessage(name=s.name, films=s.movies) for s in answer.decades],
    )


@router.get("/version", tags=["Server"], summary="The model being served")
async def version(request: Request) -> m.Version:
    """Version, catalogue and metrics of the model that answers."""
    context = RequestContext.of(request)
    users, years = context.engine.info.users, context.engine.filters.years
    return m.Version(
        model_version=context.version,
        reelflow=installed("reelflow"),
        films=len(context.engine.movies),
        users=users if isinstance(users, int) else None,
        genres=context.engine.filters.genres,
        years=m.Years(oldest=years[0], newest=years[1]) if years else None,
        histories=ServerState.of(request).histories,
        metrics=dict(await run_in_threadpool(context.engine.metrics)),
    )


@router.get("/health", tags=["Server"], summary="Whether the process lives")
async def health() -> m.State:
    """Answer as long as the process runs."""
    return m.State(status="ok")


@router.get("/ready", tags=["Server"], summary="Whether requests are welcome")
async def ready(request: Request) -> m.State:
    """Refuse while the server stops or too many requests wait."""
    server = ServerState.of(request)
    if server.stopping or server.batcher.full:
        raise Problem(503, "The server is busy or stopping.", {"Retry-After": "1"})
    return m.State(status="ready")
