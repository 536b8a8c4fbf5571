"""The JSON API `/api/v1`: everything the page shows, for applications too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving import messages as m
from reelflow.serving.batching import Answer, Batcher, BatchRequest
from reelflow.serving.events.live import Live, Named
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.middleware import Metrics
from reelflow.serving.privacy import movies_for_a_user, refusal
from reelflow.serving.versions import Versions

router = APIRouter(prefix="/api/v1", responses=m.ERRORS)


@dataclass
class ServerState:
    """One server, which all routes share; the application keeps it as `app.state.server`."""

    versions: Versions
    limits: Limits
    metrics: Metrics
    histories: bool
    """True if answers may contain what users have rated."""
    live: Live | None = None
    """Events of users; None if the server takes no events."""
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


class Context:
    """The engine that answers one request, and checks of the request against its catalogue."""

    def __init__(self, request: Request) -> None:
        """Take the engine in use now, which answers even if another is loaded meanwhile."""
        self.server = ServerState.of(request)
        self.engine = self.server.versions.engine

    async def ask(
        self,
        answer_all: Callable[[Sequence[BatchRequest]], Sequence[Answer]],
        request: BatchRequest,
    ) -> Answer:
        """Return the answer to a request, which may be answered in one batch with others."""
        return await self.server.batcher.ask(answer_all, request)

    async def with_events(self, request: Named) -> Named:
        """Return a request that knows what its user has done since the model was trained."""
        live = self.server.live
        if live is None or not self.server.histories or request.user_id is None:
            return request
        return await live.with_events(request, self.engine, self.ask)

    def movie(self, movie_id: str) -> Movie:
        """Return a movie of the catalogue; the answer is 404 if there is none."""
        if movie_id not in self.engine.rows:
            raise Problem(404, f"There is no {self.engine.info.noun.one} with the id {movie_id!r}.")
        return self.engine.movies[self.engine.rows[movie_id]]

    def check_movies(self, movie_ids: Sequence[str], field: str) -> None:
        """Answer 422 if any of these movies does not exist."""
        unknown = [repr(movie) for movie in movie_ids if movie not in self.engine.rows]
        if unknown:
            one, listed = self.engine.info.noun.one, ", ".join(unknown[:5])
            raise Problem(422, f"{field}: there is no {one} with the id {listed}.")

    def check_conditions(self, request: m.Filtered) -> None:
        """Answer 422 if a genre does not exist, or the years are the wrong way round."""
        try:
            self.engine.filters.check(request)
        except BadInput as error:
            raise Problem(422, str(error)) from error

    def check_named(
        self, liked: Sequence[str], disliked: Sequence[str], ratings: Mapping[str, float]
    ) -> None:
        """Answer 422 if a movie named does not exist or is named twice, or stars are no stars."""
        kinds = {"liked": liked, "disliked": disliked, "ratings": list(ratings)}
        named: dict[str, str] = {}
        for kind, movies in kinds.items():
            self.check_movies(movies, kind)
            for movie in movies:
                if named.setdefault(movie, kind) != kind:
                    raise Problem(422, f"{kind}: {movie!r} is in {named[movie]} as well.")
        try:
            for rating in ratings.values():
                self.engine.model.check_rating("ratings", rating)
        except BadInput as error:
            raise Problem(422, str(error)) from error

    def check_stars(self, request: m.RecommendRequest) -> None:
        """Answer 422 if stars are asked for that the model does not have."""
        try:
            self.engine.model.check_stars(request.order, request.min_rating)
        except BadInput as error:
            raise Problem(422, str(error)) from error

    def check_histories(self, what: str, remedy: str = "") -> None:
        """Answer 403 unless answers may contain what a user has rated; `what` is asked for."""
        if not self.server.histories:
            raise refusal(what, remedy)


@router.post("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend(request: Request, body: m.RecommendRequest) -> m.Recommendations:
    """Movies that a user has not rated, best first, or movies for those named in the request."""
    context = Context(request)
    context.check_named(body.liked, body.disliked, body.ratings)
    context.check_stars(body)
    context.check_movies(body.exclusions, "exclusions")
    context.check_conditions(body)
    if context.server.histories:
        return await context.ask(context.engine.recommend, await context.with_events(body))
    for name in ("explain", "include_seen", "liked", "disliked", "ratings"):
        if body.user_id and getattr(body, name):
            raise refusal(f"{name} together with user_id", "Leave one of the two out.")
    return await context.ask(context.engine.recommend_discreetly, body)


@router.get("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend_by_url(
    request: Request, query: Annotated[m.RecommendQuery, Query()]
) -> m.Recommendations:
    """The same, with everything in the URL."""
    return await recommend(request, query.request())


@router.get("/rating", tags=["Recommendations"], summary="Predicted rating")
async def rate(request: Request, query: Annotated[m.RatingRequest, Query()]) -> m.PredictedRating:
    """The stars that a user would give a movie."""
    context = Context(request)
    context.movie(query.movie_id)
    return await context.ask(context.engine.rate, query)


@router.get("/films", tags=["Movies"], summary="Find movies by title")
async def movies(
    request: Request,
    search: Annotated[m.Text, Query(description="Beginning of words; errors forgiven.")] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> m.Movies:
    """Movies whose titles begin with the text, or hold such words, or look like it."""
    engine = Context(request).engine
    matches = await run_in_threadpool(engine.search.find, search, limit)
    items = [m.MovieMessage.of(movie) for movie in matches]
    return m.Movies(model_version=engine.version, items=items)


@router.get("/films/{movie_id:path}/similar", tags=["Movies"], summary="Similar movies")
async def similar(
    request: Request, movie_id: m.Id, query: Annotated[m.SimilarRequest, Query()]
) -> m.SimilarMovies:
    """The nearest movies by the cosine of their embeddings."""
    context = Context(request)
    context.movie(movie_id)
    context.check_conditions(query)
    return await context.ask(context.engine.similar, (movie_id, query))


@router.get("/films/{movie_id:path}", tags=["Movies"], summary="One movie")
async def movie(request: Request, movie_id: m.Id) -> m.MovieMessage:
    """A movie of the catalogue."""
    return m.MovieMessage.of(Context(request).movie(movie_id))


@router.get("/users", tags=["Users"], summary="Some known users")
async def users(request: Request) -> m.Users:
    """A few users that the model knows, to try it with."""
    context = Context(request)
    context.check_histories("a list of users")
    return m.Users(model_version=context.engine.version, user_ids=context.engine.sample_users)


@router.get("/profile", tags=["Users"], summary="What the model knows about a user")
async def profile(request: Request, query: Annotated[m.ProfileQuery, Query()]) -> m.ProfileMessage:
    """The movies that a user has rated, as the model knows them, and those named."""
    context = Context(request)
    if query.user_id:
        context.check_histories("a user's profile", "Name movies in liked instead.")
    asked = query.request()
    context.check_named(asked.liked, asked.disliked, asked.ratings)
    return await context.ask(context.engine.profile, await context.with_events(asked))


@router.get("/version", tags=["Server"], summary="The model being served")
async def version(request: Request) -> m.Version:
    """Version, catalogue and metrics of the model that answers."""
    context = Context(request)
    engine, years, noun = context.engine, context.engine.filters.years, context.engine.info.noun
    return m.Version(
        model_version=engine.version,
        reelflow=installed("reelflow"),
        films=len(engine.movies),
        item=m.ItemMessage(one=noun.one, many=noun.many, with_article=noun.a),
        users=engine.info.users,
        genres=engine.filters.genres,
        years=m.Years(oldest=years[0], newest=years[1]) if years else None,
        stars=m.StarsMessage(**dict(engine.stars)) if engine.stars else None,
        histories=context.server.histories,
        movies_for_a_user=None
        if context.server.histories
        else movies_for_a_user(len(engine.movies)),
        metrics=dict(await run_in_threadpool(engine.metrics)),
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
