"""The JSON API `/api/v1`: everything the page shows, for applications too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import Annotated, Any, Final, TypeVar, cast

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Movie
from reelflow.serving import messages as m
from reelflow.serving.batching import Answer, Batcher, BatchRequest
from reelflow.serving.cursors import cursor, place_of
from reelflow.serving.direct import Short
from reelflow.serving.engine import Engine
from reelflow.serving.events.live import Live, Named
from reelflow.serving.fields import Filtered, Id
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.middleware import CLIENT, Metrics
from reelflow.serving.movie_index import Mask
from reelflow.serving.privacy import movies_for_a_user, refusal
from reelflow.serving.rules.file import RulesFile
from reelflow.serving.variants import Variants
from reelflow.serving.versions import Versions
from reelflow.serving.work import Allowance, work_of

Names = TypeVar("Names", bound=m.RecommendRequest | m.ProfileRequest)

router = APIRouter(prefix="/api/v1", responses=m.ERRORS)


@dataclass
class ServerState:
    """One server, which all routes share; the application keeps it as `app.state.server`."""

    versions: Versions
    limits: Limits
    metrics: Metrics
    histories: bool
    """True if answers may contain what users have rated."""
    variants: Variants
    allowance: Allowance
    """Units of work that each client may ask for."""
    live: Live | None = None
    """Events of users; None if the server takes no events."""
    rules: RulesFile | None = None
    """Rules about all lists; None if there are none."""
    stopping: bool = False
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue."""
        self.batcher = Batcher(self.limits, self.metrics.batches.observe)

    async def ask(
        self,
        answer_all: Callable[[Sequence[BatchRequest]], Sequence[Answer]],
        request: BatchRequest,
        client: str,
    ) -> Answer:
        """Return the answer to a client's request, whose work is taken from what it may ask for."""
        work = work_of(request)
        self.allowance.charge(client, work)
        return await self.batcher.ask(answer_all, request, work)

    @classmethod
    def of(cls, request: Request) -> ServerState:
        """Return the state of the server that a request came to."""
        server: ServerState = request.app.state.server
        return server


class Context:
    """The engine that answers one request, and checks of the request against its catalogue."""

    def __init__(self, request: Request, user_id: str | None = None) -> None:
        """Take the user's engine of now, which answers even if another is loaded meanwhile."""
        self.server = ServerState.of(request)
        self.chosen = self.server.variants.choose(user_id)
        self.engine = self.chosen.engine
        self.client: str = request.scope.get(CLIENT, "")

    async def ask(
        self,
        answer_all: Callable[[Sequence[BatchRequest]], Sequence[Answer]],
        request: BatchRequest,
    ) -> Answer:
        """Return the answer to a request, which may be answered in one batch with others."""
        with self.server.variants.measured(self.chosen):
            return await self.server.ask(answer_all, request, self.client)

    def ready(self, request: m.RecommendRequest) -> bytes | None:
        """Return what `recommend` would, in JSON; None if it is not ready, or a shadow waits."""
        server, ready = self.server, self.engine.ready
        if ready is None or not server.histories or server.variants.has_shadow:
            return None
        start = time.perf_counter()
        if (answer := ready.answer(request)) is not None:
            server.allowance.charge(self.client, work_of(request))
            server.variants.note(self.chosen, "answered", start)
        return answer

    async def recommend(self, request: m.RecommendRequest, unknown: list[str]) -> m.Recommendations:
        """Return the movies for a user, as histories allow, and let a shadow be compared.

        Args:
            request: names movies of the catalogue only.
            unknown: others that it named.
        """
        whole = self.server.histories
        ask = self.engine.recommend if whole else self.engine.recommend_discreetly
        answer = await self.ask(ask, request)
        other = Engine.recommend if whole else Engine.recommend_discreetly
        self.server.variants.compare(self.chosen, other, request, answer)
        return answer.model_copy(update={"unknown_ids": unknown}) if unknown else answer

    async def with_events(self, request: Named) -> Named:
        """Return a request that knows what its user has done since the model was trained."""
        live = self.server.live
        if live is None or not self.server.histories or request.user_id is None:
            return request
        return await live.with_events(request, self.engine, self.server.batcher.ask)

    @property
    def hidden(self) -> Mask | None:
        """Movies that the rules file hides, bool [movies]."""
        file = self.server.rules
        rules = self.engine.catalogued(file.rules) if file else None
        return rules.hidden if rules else None

    def movie(self, movie_id: str) -> Movie:
        """Return a movie of the catalogue; the answer is 404 if there is none."""
        if movie_id not in self.engine.rows:
            raise Problem(404, f"There is no {self.engine.info.noun.one} with the id {movie_id!r}.")
        return self.engine.movies[self.engine.rows[movie_id]]

    def known(self, request: Names) -> tuple[Names, list[str]]:
        """Return a request without the movies that this version does not know, and these."""
        rows, unknown = self.engine.rows, dict[str, None]()
        changes: dict[str, Any] = {}
        for name in ("liked", "disliked", "ratings", "exclusions"):
            named = getattr(request, name)
            strange = [movie for movie in named if movie not in rows]
            if strange:
                unknown.update(dict.fromkeys(strange))
                left = [movie for movie in named if movie in rows]
                is_stars = isinstance(named, dict)
                changes[name] = {movie: named[movie] for movie in left} if is_stars else left
        rules = getattr(request, "rules", None)
        unknown.update(
            (movie, None) for movie in (rules.names if rules else ()) if movie not in rows
        )
        known = cast(Names, request.model_copy(update=changes)) if changes else request
        return known, [*unknown]

    def with_rules(self, request: m.RecommendRequest) -> m.RecommendRequest:
        """Return a request with the rules in force; the answer is 422 if its own are wrong."""
        own = request.rules
        if own is not None:
            try:
                self.engine.catalogued(own).check()
                self.engine.model.check_stars(request.order, own.min_rating)
            except BadInput as error:
                raise Problem(422, str(error)) from error
        rules = self.server.rules.rules if self.server.rules else None
        if rules is not None and own is not None:
            rules = rules.joined(own)
        return request.model_copy(update={"rules": rules}) if rules else request

    def check_conditions(self, request: Filtered) -> None:
        """Answer 422 if a genre does not exist, or the years are the wrong way round."""
        try:
            self.engine.filters.check(request)
        except BadInput as error:
            raise Problem(422, str(error)) from error

    def check_named(
        self, liked: Sequence[str], disliked: Sequence[str], ratings: Mapping[str, float]
    ) -> None:
        """Answer 422 if a movie is named twice, or stars are no stars."""
        kinds = {"liked": liked, "disliked": disliked, "ratings": list(ratings)}
        named: dict[str, str] = {}
        for kind, movies in kinds.items():
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


async def _understood(
    request: Request, body: m.RecommendRequest
) -> tuple[Context, m.RecommendRequest, list[str]]:
    """Check a request; return it with rules and events, and movies that are not known."""
    context = Context(request, body.user_id)
    context.check_named(body.liked, body.disliked, body.ratings)
    context.check_stars(body)
    context.check_conditions(body)
    asked, unknown = context.known(context.with_rules(body))
    asked = asked.at(place_of(body.cursor, context.engine.version))
    for name in ("explain", "include_seen", "liked", "disliked", "ratings"):
        if body.user_id and getattr(body, name) and not context.server.histories:
            raise refusal(f"{name} together with user_id", "Leave one of the two out.")
    return context, await context.with_events(asked), unknown


@router.post("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend(request: Request, body: m.RecommendRequest) -> m.Recommendations:
    """Movies that a user has not rated, best first, or movies for those named in the request."""
    context, asked, unknown = await _understood(request, body)
    return await context.recommend(asked, unknown)


async def _in_short(
    request: Request, body: m.RecommendRequest | m.RecommendQuery
) -> m.Recommendations | bytes:
    """Answer as `recommend` does, with JSON where it is ready."""
    if isinstance(body, m.RecommendQuery):
        body = body.request()
    context, asked, unknown = await _understood(request, body)
    if not unknown and (ready := context.ready(asked)) is not None:
        return ready
    return await context.recommend(asked, unknown)


@router.post("/recommendations/users", tags=["Recommendations"], summary="Movies for many users")
async def recommend_for_users(request: Request, body: m.UsersRequest) -> m.UsersRecommendations:
    """Lists for several users by the same conditions, in the order of the users."""
    at_once = ServerState.of(request).limits.batch
    items = []
    for start in range(0, len(body.user_ids), at_once):
        users = body.user_ids[start : start + at_once]
        answers = await asyncio.gather(*(recommend(request, body.of(user)) for user in users))
        items += [
            m.UserRecommendations(user_id=user, **dict(answer))
            for user, answer in zip(users, answers, strict=True)
        ]
    return m.UsersRecommendations(items=items)


@router.get("/recommendations", tags=["Recommendations"], summary="Movies for a user")
async def recommend_by_url(
    request: Request, query: Annotated[m.RecommendQuery, Query()]
) -> m.Recommendations:
    """The same, with everything in the URL."""
    return await recommend(request, query.request())


SHORT: Final = {
    ("GET", "/api/v1/recommendations"): Short(m.RecommendQuery, _in_short),
    ("POST", "/api/v1/recommendations"): Short(m.RecommendRequest, _in_short),
}
"""Routes that have a short way."""


@router.get("/rating", tags=["Recommendations"], summary="Predicted rating")
async def rate(request: Request, query: Annotated[m.RatingRequest, Query()]) -> m.PredictedRating:
    """The stars that a user would give a movie."""
    context = Context(request, query.user_id)
    context.movie(query.movie_id)
    return await context.ask(context.engine.rate, query)


@router.get("/films", tags=["Movies"], summary="Find or list movies")
async def movies(request: Request, query: Annotated[m.MoviesRequest, Query()]) -> m.Movies:
    """Movies whose titles begin with the text, hold such words, or look like it; or all of them."""
    context = Context(request)
    engine = context.engine
    context.check_conditions(query)
    start = place_of(query.cursor, engine.version, deepest=len(engine.movies) + 1)
    hidden = context.hidden
    found, more = await run_in_threadpool(engine.listed, query, start, hidden)
    return m.Movies(
        model_version=engine.version,
        items=[m.MovieMessage.of(movie) for movie in found],
        next=cursor(engine.version, start + len(found)) if more else None,
    )


@router.get("/films/{movie_id:path}/similar", tags=["Movies"], summary="Similar movies")
async def similar(
    request: Request, movie_id: Id, query: Annotated[m.SimilarRequest, Query()]
) -> m.SimilarMovies:
    """The nearest movies by the cosine of their embeddings."""
    context = Context(request)
    context.movie(movie_id)
    context.check_conditions(query)
    return await context.ask(context.engine.similar, (movie_id, query, context.hidden))


@router.get("/films/{movie_id:path}", tags=["Movies"], summary="One movie")
async def movie(request: Request, movie_id: Id) -> m.MovieMessage:
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
    context = Context(request, query.user_id)
    if query.user_id:
        context.check_histories("a user's profile", "Name movies in liked instead.")
    asked, unknown = context.known(query.request())
    context.check_named(asked.liked, asked.disliked, asked.ratings)
    answer = await context.ask(context.engine.profile, await context.with_events(asked))
    return answer.model_copy(update={"unknown_ids": unknown})


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
        events=context.server.live is not None,
        movies_for_a_user=None
        if context.server.histories
        else movies_for_a_user(len(engine.movies)),
        metrics=dict(await run_in_threadpool(engine.metrics)),
    )


@router.get("/health", tags=["Server"], summary="Whether the process lives")
async def health(request: Request) -> m.State:
    """Answer as long as the process runs; `problems` are those that it lives with."""
    rules = ServerState.of(request).rules
    return m.State(status="ok", problems=[rules.problem] if rules and rules.problem else [])


@router.get("/ready", tags=["Server"], summary="Whether requests are welcome")
async def ready(request: Request) -> m.State:
    """Refuse while the server stops or too many requests wait."""
    server = ServerState.of(request)
    if server.stopping or server.batcher.full:
        raise Problem(503, "The server is busy or stopping.", {"Retry-After": "1"})
    return m.State(status="ready")
