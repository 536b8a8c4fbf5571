"""The JSON of `/api/v1`, as requests and answers; the OpenAPI document comes from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, PrivateAttr
from typing_extensions import Self

from reelflow.saved_model.catalogue import Movie
from reelflow.saved_model.contract import BLEND, Order, Source
from reelflow.saved_model.reasons import Kind
from reelflow.serving.fields import Count, Filtered, Id, Ids, Stars, Text
from reelflow.serving.limits import Limits
from reelflow.serving.rules.messages import Rules

_LIMITS = Limits()
_Rating = Annotated[str, Field(pattern=r"^.{1,256}:-?[0-9]{1,9}(\.[0-9]{1,9})?$")]


class Conditions(Filtered):
    """Conditions on the movies of a list of recommendations."""

    k: Count = Field(10, description="How many movies.")
    exclusions: Ids = Field([], description="Ids of movies to leave out.")
    order: Order = Field(
        BLEND,
        description="`blend`: what the user would turn to and like; `retrieval`: what the user "
        "would turn to; `stars`: by predicted stars.",
    )
    min_rating: Stars | None = Field(
        None, description="Least predicted stars, on the data's own scale (`stars` of /version)."
    )
    include_seen: bool = Field(False, description="Movies that the user has rated or named, too.")
    explain: bool = Field(False, description="Say what of the user's history speaks for a movie.")


class Wanted(Conditions):
    """The user of recommendations, and conditions on the movies; without stars of single movies."""

    user_id: Id | None = Field(
        None, description="A user; without one, the movies named count, or else what is popular."
    )
    liked: Ids = Field([], description="Ids of movies the user likes, the newest last.")
    disliked: Ids = Field([], description="Ids of movies the user does not like, the newest last.")
    cursor: Text | None = Field(None, description="`next` of the page before; none: the first.")
    _offset: int = PrivateAttr(0)

    @property
    def offset(self) -> int:
        """Movies of the pages before."""
        return self._offset

    def at(self, offset: int) -> Self:
        """Return the request for a later page."""
        if offset == self._offset:
            return self
        later = self.model_copy()
        later._offset = offset
        return later


def _stars_by_movie(pairs: Sequence[str]) -> dict[str, float]:
    """Return stars by movie from the pairs of a URL, `12:4.5`."""
    parts = (text.rpartition(":") for text in pairs)
    return {movie: float(rating) for movie, _, rating in parts}


class RecommendRequest(Wanted):
    """The user of recommendations, and conditions on the movies."""

    ratings: Annotated[dict[Id, Stars], Field(max_length=_LIMITS.movies)] = Field(
        {}, description='Stars of further movies by id, the newest last: `{"12": 4.5, "77": 2}`.'
    )
    rules: Rules | None = Field(None, description="Beside those of the server's file.")


class RecommendQuery(Wanted):
    """The same in a URL."""

    ratings: Annotated[list[_Rating], Field(max_length=_LIMITS.movies)] = Field(
        [], description="Stars of further movies, the newest last: `12:4.5`."
    )

    def request(self) -> RecommendRequest:
        """Return the request that the URL stands for."""
        # Faster than `model_construct`.
        return RecommendRequest(**{**self.__dict__, "ratings": _stars_by_movie(self.ratings)})


class UsersRequest(Conditions):
    """Users of recommendations, and conditions on the movies."""

    user_ids: Annotated[list[Id], Field(min_length=1, max_length=_LIMITS.users)]
    rules: Rules | None = Field(None, description="Beside those of the server's file.")

    def of(self, user_id: str) -> RecommendRequest:
        """Return the request of one of the users."""
        fields = {name: getattr(self, name) for name in Conditions.model_fields}
        return RecommendRequest.model_construct(**fields, user_id=user_id, rules=self.rules)


class MoviesRequest(Filtered):
    """Movies by title, or a list of all."""

    search: Text = Field(
        "", description="Beginning of words; errors forgiven. Empty: all movies, by `sort`."
    )
    sort: Literal["catalogue", "popular", "new"] = Field(
        "catalogue",
        description="Order of all movies: the catalogue's; the most rated first; the newest first, "
        "without movies whose year is not known.",
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    cursor: Text | None = Field(None, description="`next` of the page before; none: the first.")


class SimilarRequest(Filtered):
    """Conditions on similar movies."""

    k: Count = Field(10, description="How many movies.")


class RatingRequest(BaseModel):
    """A user and a movie."""

    user_id: Id = Field(description="Need not be known.")
    movie_id: Id


class ProfileQuery(BaseModel):
    """A user by id, by movies, or both."""

    user_id: Id | None = None
    liked: Ids = []
    disliked: Ids = []
    ratings: Annotated[list[_Rating], Field(max_length=_LIMITS.movies)] = Field(
        [], description="Stars of further movies, the newest last: `12:4.5`."
    )
    k: Count = Field(20, description="Movies to name.")

    def request(self) -> ProfileRequest:
        """Return the request that the URL stands for."""
        stars = _stars_by_movie(self.ratings)
        return ProfileRequest.model_construct(**{**dict(self), "ratings": stars})


class ProfileRequest(BaseModel):
    """A user by id, by movies, or both; made of a query and of the user's events."""

    user_id: str | None = None
    liked: list[str] = []
    disliked: list[str] = []
    ratings: dict[str, float] = {}
    """Stars by movie, the newest last; NaN where not known."""
    exclusions: list[str] = []
    """Movies that the user has skipped: no part of a profile."""
    k: int = 20


class MovieMessage(BaseModel):
    """A movie."""

    movie_id: str
    title: str
    genres: list[str]
    year: int | None
    rating_count: int = Field(description="Ratings of it that the model was trained with.")
    poster: str | None = Field(
        None, description="Address of its picture, seen from the server's root; null without one."
    )

    @classmethod
    def of(cls, movie: Movie, **more: Any) -> Self:
        """Return a movie as a message; `more` are the fields that a subclass adds."""
        return cls(
            movie_id=movie.movie_id,
            title=movie.title,
            genres=list(movie.genres),
            year=movie.year,
            rating_count=movie.rating_count,
            poster=movie.poster,
            **more,
        )


class RatedMovie(MovieMessage):
    """A movie of a user's history."""

    rating: float | None = Field(
        description="The user's own stars; for `liked` and `disliked` what they stand for; null if "
        "not known."
    )


class ReasonMessage(BaseModel):
    """A movie of the user's history."""

    movie_id: str
    title: str
    weight: float = Field(description="What it adds to the score.")
    rating: float | None = Field(
        description="The user's own stars, never below the user's mean; null if not known."
    )


class RecommendedMovie(MovieMessage):
    """A movie with score and predicted rating for this user."""

    score: float = Field(description="Comparable within one answer only.")
    predicted_rating: float | None = Field(
        description="Stars on the data's own scale, an average user's if unknown; null if the "
        "model was trained without ratings."
    )
    seen: bool = Field(description="Rated by the user, or named in the request.")
    because: list[ReasonMessage] | None = Field(
        description="Movies that the user rated at or above the own mean and that add most to the "
        "score, strongest first; null unless asked for."
    )
    because_kind: Kind | None = Field(
        description="What speaks for the movie: those in `because`, or if there is none the genre "
        "that the user likes most of its genres, or that it is popular; null unless asked for."
    )
    because_genre: str | None = Field(description="The genre, of the kind `genre`.")


class Recommendations(BaseModel):
    """Movies, best first; fewer than asked for when no more are left."""

    model_version: int
    source: Source = Field(description="What the answer comes from.")
    items: list[RecommendedMovie]
    next: str | None = Field(None, description="Cursor of the next page; null behind the last.")
    unknown_ids: list[str] = Field(
        default=[],
        description="Movies of the request that this version does not know: not counted.",
    )


class UserRecommendations(Recommendations):
    """A list for one of several users."""

    user_id: str


class UsersRecommendations(BaseModel):
    """Lists for several users, in the order of the request."""

    items: list[UserRecommendations]


class SimilarMovie(MovieMessage):
    """A movie with its similarity to the requested one."""

    score: float = Field(description="Cosine of the two movies' embeddings.")


class SimilarMovies(BaseModel):
    """Movies like one movie, the nearest first."""

    model_version: int
    film: MovieMessage
    items: list[SimilarMovie]


class Movies(BaseModel):
    """Movies found by their titles, best match first; or those of a list of all."""

    model_version: int
    items: list[MovieMessage]
    next: str | None = Field(None, description="Cursor of the next page; null behind the last.")


class PredictedRating(BaseModel):
    """The stars that a user would give a movie."""

    model_version: int
    user_id: str
    movie_id: str
    rating: float | None = Field(
        description="On the data's own scale; null if the model was trained without ratings."
    )
    known_user: bool = Field(description="If not, the rating is an average user's.")
    like: float | None = Field(
        None, description="Probability that the user likes the movie; null if the model has none."
    )


class ShareMessage(BaseModel):
    """Number of a user's movies that share a genre or a decade."""

    name: str
    films: int


class ProfileMessage(BaseModel):
    """The model's knowledge of a user."""

    model_version: int
    known: bool = Field(description="Whether the model has ratings of the user.")
    count: int = Field(description="How many.")
    films: list[RatedMovie] = Field(description="The newest first, those named in front.")
    genres: list[ShareMessage] = Field(description="Of all movies, the most frequent first.")
    decades: list[ShareMessage] = Field(description="Of all movies with a year, in order of time.")
    unknown_ids: list[str] = Field(
        default=[], description="Movies of the request that this version does not know."
    )


class Users(BaseModel):
    """Some users that the model knows, to try it with."""

    model_version: int
    user_ids: list[str]


class Years(BaseModel):
    """Release years of a catalogue."""

    oldest: int
    newest: int


class StarsMessage(BaseModel):
    """The scale of the ratings, as the data have it."""

    lowest: float
    highest: float
    mean: float
    like_threshold: float = Field(description="Stars from which on a movie counts as liked.")
    liked: float = Field(description="Stars that a movie in `liked` stands for.")
    disliked: float = Field(description="Stars that a movie in `disliked` stands for.")


class ItemMessage(BaseModel):
    """The word for what is recommended, in the language of the page."""

    one: str = Field(description="As `movie` or `book`.")
    many: str
    with_article: str = Field(description="As `a movie` or `an artist`.")


class Version(BaseModel):
    """The model being served."""

    model_version: int
    reelflow: str = Field(description="Version of the server.")
    films: int
    item: ItemMessage
    users: int | None
    genres: list[str]
    years: Years | None = Field(description="Null if no movie has one.")
    stars: StarsMessage | None = Field(
        description="Scale of the ratings; null if the model was trained without."
    )
    histories: bool = Field(description="Whether answers may tell what users have rated.")
    events: bool = Field(description="Whether the server takes events of users.")
    movies_for_a_user: int | None = Field(
        description="Movies that all answers to a user's id are chosen from, where histories are "
        "switched off; else null."
    )
    metrics: dict[str, float] = Field(description="Measured when the model was trained.")


class State(BaseModel):
    """State of the server."""

    status: str
    problems: list[str] = Field(
        default=[], description="Faults that the server lives with, as a rules file that is wrong."
    )


class Error(BaseModel):
    """An error, in words."""

    error: str


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": Error, "description": text}
    for code, text in {
        400: "Malformed: no JSON, no UTF-8, too deep, or of an unknown signature or version.",
        401: "An API key is wanted, or another one.",
        403: "The key lacks the scope, or the answer would tell what a user has rated.",
        404: "There is no such movie, or no such version.",
        409: "The cursor is of another version.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        422: "A value is wrong; the message says which.",
        421: "The Host header names another server.",
        429: "The client has asked for more work than it may; Retry-After says how long to wait.",
        503: "The server is busy; Retry-After says how long to wait.",
        504: "The model did not answer in time.",
    }.items()
}
