"""One loaded model that answers the requests of many users by one call of each signature.

Free of HTTP; `api` turns its requests and answers into JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final, cast

from reelflow.base.columns import (
    COUNT,
    HISTORY,
    MOVIE_ID,
    SCORE,
    SEEN,
    SOURCE,
    USER_ID,
    WEIGHT,
    K,
)
from reelflow.base.errors import BadInput
from reelflow.saved_model import golden
from reelflow.saved_model.catalogue import Movie
from reelflow.saved_model.client import RatingPrediction, ServedModel, rating_predictions
from reelflow.saved_model.contract import (
    EXPLAIN,
    OF_SERVER,
    RATE,
    RECOMMEND,
    SCORE_ALL,
    SIMILAR,
    TIMELINE,
    Source,
)
from reelflow.saved_model.files import GOLDEN, ModelInfo
from reelflow.serving.filters import NO_FILTER, FilterIndex, MovieFilter, best
from reelflow.serving.search import MovieSearch


@dataclass(frozen=True)
class RecommendationRequest:
    """Recommendations for one user."""

    user_id: str = ""
    """Empty for a user that is described by `liked` alone."""
    liked: tuple[str, ...] = ()
    """Ids of movies that the user likes, the newest last, beside those the model knows of."""
    k: int = 10
    exclusions: tuple[str, ...] = ()
    movie_filter: MovieFilter = NO_FILTER
    include_seen: bool = False
    explain: bool = False


@dataclass(frozen=True)
class SimilarMoviesRequest:
    """Movies that are similar to one movie."""

    movie_id: str
    k: int = 10
    movie_filter: MovieFilter = NO_FILTER


@dataclass(frozen=True)
class RatingRequest:
    """A predicted rating of a movie by a user."""

    user_id: str
    movie_id: str


@dataclass(frozen=True)
class ProfileRequest:
    """The profile of a user by id, by movies, or both."""

    user_id: str = ""
    liked: tuple[str, ...] = ()
    k: int = 20
    """Number of movies in the answer."""


@dataclass(frozen=True)
class Reason:
    """A movie of the user's history, and what it adds to the score of a recommendation."""

    movie: Movie
    weight: float


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie."""

    movie: Movie
    score: float
    rating: float
    """Predicted stars; those of an average user if the model does not know the user."""
    seen: bool
    because: tuple[Reason, ...] = ()
    """Movies that speak for it, the strongest first; empty unless requested."""


@dataclass(frozen=True)
class RecommendationList:
    """Recommendations, best first; fewer than requested when no more are left."""

    source: Source
    items: tuple[Recommendation, ...]


@dataclass(frozen=True)
class SimilarMovie:
    """A movie and its cosine with the requested one."""

    movie: Movie
    score: float


@dataclass(frozen=True)
class MovieGroup:
    """Number of a user's movies that share a genre or a decade."""

    name: str
    movies: int


@dataclass(frozen=True)
class Profile:
    """The model's knowledge of a user."""

    known: bool
    count: int
    """Ratings by the user in the model's training data."""
    movies: tuple[Movie, ...]
    """The newest of them, and those of the request; the newest first."""
    genres: tuple[MovieGroup, ...]
    """Of all its movies, the most frequent first."""
    decades: tuple[MovieGroup, ...]
    """Of all its movies with a year, in order of time."""


REASONS: Final = 3
"""Movies of the history that an explanation names."""

MetricsOf = Callable[[Path], Mapping[str, float]]
"""Returns the metrics of a version by its folder; empty if it has none (yet)."""


class Engine:
    """The model of one version with its catalogue, filters and search.

    The methods that take a sequence answer the requests of several users in order. Movies and
    genres in them must exist: `api` checks requests against the same engine before.
    """

    def __init__(self, model: ServedModel, metrics_of: MetricsOf = lambda _: {}) -> None:
        """Take a loaded model.

        Args:
            model: with all signatures that Trainer exports.
            metrics_of: finds the metrics of a version.

        Raises:
            BadInput: it lacks the signatures for a server.
        """
        missing = [name for name in OF_SERVER if name not in model.signatures]
        if missing:
            raise BadInput(
                f"{model.path} lacks the signatures {', '.join(missing)}.",
                "It was made by an older version: run `reelflow run` again.",
            )
        self.model = model
        self.version = model.version
        self.movies = tuple(model.catalogue.movies.values())
        self.rows = {movie.movie_id: row for row, movie in enumerate(self.movies)}
        self.filters = FilterIndex(self.movies)
        self.search = MovieSearch(self.movies)
        self.info = ModelInfo.read(model.path)
        self.sample_users = _sample_users(model.path / GOLDEN)
        self._metrics_of = metrics_of
        self._metrics: Mapping[str, float] = {}
        self.ask = model.signatures.call

    def metrics(self) -> Mapping[str, float]:
        """Return the version's metrics.

        Looked for until they are there: a run pushes first and writes its summary afterwards.
        """
        self._metrics = self._metrics or self._metrics_of(self.model.path)
        return self._metrics

    def warm_up(self, batch: int) -> None:
        """Call every signature once, so that no user waits for TensorFlow's first call."""
        user = next(iter(self.sample_users), "")
        movie = self.movies[0].movie_id
        for count in (1, batch):
            self.recommend([RecommendationRequest(user, (movie,), explain=True)] * count)
            self.similar([SimilarMoviesRequest(movie)] * count)
            self.rate([RatingRequest(user, movie)] * count)
            self.profile([ProfileRequest(user)] * count)
            self.ask(RECOMMEND, {USER_ID: [user] * count})  # of `:predict`

    def recommend(self, requests: Sequence[RecommendationRequest]) -> list[RecommendationList]:
        """Score the catalogue for all users at once, then choose for each.

        Not by `serving_default`: filters, and movies that the user has seen, need the scores of
        movies that it leaves out. Without either the answers are the same, ties included.
        """
        answer = self.ask(
            SCORE_ALL,
            {USER_ID: [r.user_id for r in requests], HISTORY: _padded(r.liked for r in requests)},
        )
        chosen = []
        for row, request in enumerate(requests):
            allowed = self.filters.mask(request.movie_filter)
            if not request.include_seen:
                allowed &= ~answer[SEEN][row]
            allowed[[self.rows[movie] for movie in request.exclusions]] = False
            chosen.append(best(answer[SCORE][row], allowed, request.k))
        stars = self._stars(requests, chosen)
        reasons = self._reasons(requests, chosen)
        return [
            RecommendationList(
                cast(Source, answer[SOURCE][row].decode()),
                tuple(
                    Recommendation(
                        self.movies[movie],
                        float(answer[SCORE][row, movie]),
                        float(rating),
                        bool(answer[SEEN][row, movie]),
                        because,
                    )
                    for movie, rating, because in zip(
                        chosen[row], stars[row], reasons[row], strict=True
                    )
                ),
            )
            for row in range(len(requests))
        ]

    def similar(self, requests: Sequence[SimilarMoviesRequest]) -> list[list[SimilarMovie]]:
        """Return the nearest movies that fit; with a filter the catalogue is ranked as a whole."""
        k = max(len(self.movies) if r.movie_filter else r.k for r in requests)
        movies = [r.movie_id for r in requests]
        answer = self.ask(SIMILAR, {MOVIE_ID: movies, K: min(k, len(self.movies))})
        answers = []
        for row, request in enumerate(requests):
            fits = self.filters.mask(request.movie_filter)
            matches: list[SimilarMovie] = []
            for movie, score in zip(answer[MOVIE_ID][row], answer[SCORE][row], strict=True):
                if len(matches) == request.k or not movie:
                    break
                place = self.rows[movie.decode()]
                if fits[place]:
                    matches.append(SimilarMovie(self.movies[place], float(score)))
            answers.append(matches)
        return answers

    def rate(self, requests: Sequence[RatingRequest]) -> list[RatingPrediction]:
        """Predict stars, and the probability of a like where the model has one."""
        inputs = {
            USER_ID: [r.user_id for r in requests],
            MOVIE_ID: [r.movie_id for r in requests],
        }
        return rating_predictions(self.ask(RATE, inputs))

    def profile(self, requests: Sequence[ProfileRequest]) -> list[Profile]:
        """Return what the model knows of users, from all of their ratings."""
        users = [r.user_id for r in requests]
        first = self.ask(TIMELINE, {USER_ID: users, K: 1})
        longest = int(max(1, *first[COUNT]))
        ids = self.ask(TIMELINE, {USER_ID: users, K: longest})[MOVIE_ID]
        profiles = []
        for row, request in enumerate(requests):
            timeline = [self.movies[self.rows[id_.decode()]] for id_ in ids[row] if id_]
            named = [self.movies[self.rows[movie]] for movie in reversed(request.liked)]
            movies = list(dict.fromkeys([*named, *timeline]))
            genres = Counter(genre for movie in movies for genre in movie.genres)
            decades = Counter(f"{movie.year // 10}0s" for movie in movies if movie.year is not None)
            count = int(first[COUNT][row])
            profiles.append(
                Profile(
                    known=count > 0,
                    count=count,
                    movies=tuple(movies[: request.k]),
                    genres=tuple(MovieGroup(*pair) for pair in genres.most_common()),
                    decades=tuple(MovieGroup(*pair) for pair in sorted(decades.items())),
                )
            )
        return profiles

    def _stars(
        self, requests: Sequence[RecommendationRequest], chosen: Sequence[Any]
    ) -> list[list[float]]:
        pairs = [
            RatingRequest(request.user_id, self.movies[movie].movie_id)
            for request, movies in zip(requests, chosen, strict=True)
            for movie in movies
        ]
        rated = [one.rating for one in self.rate(pairs)] if pairs else []
        ends = [0, *accumulate(len(movies) for movies in chosen)]
        return [rated[start:end] for start, end in pairwise(ends)]

    def _reasons(
        self, requests: Sequence[RecommendationRequest], chosen: Sequence[Any]
    ) -> list[list[tuple[Reason, ...]]]:
        """Return the movies that add most to the score of each chosen movie, by row and place."""
        reasons: list[list[tuple[Reason, ...]]] = [[()] * len(movies) for movies in chosen]
        cells = [
            (row, place)
            for row, request in enumerate(requests)
            if request.explain
            for place in range(len(chosen[row]))
        ]
        if not cells:
            return reasons
        answer = self.ask(
            EXPLAIN,
            {
                USER_ID: [requests[row].user_id for row, _ in cells],
                MOVIE_ID: [self.movies[chosen[row][place]].movie_id for row, place in cells],
                HISTORY: _padded(requests[row].liked for row, _ in cells),
            },
        )
        for number, (row, place) in enumerate(cells):
            weights: dict[str, float] = {}
            for movie, weight in zip(answer[MOVIE_ID][number], answer[WEIGHT][number], strict=True):
                if movie:
                    id_ = movie.decode()  # a movie rated twice is in the history twice
                    weights[id_] = weights.get(id_, 0.0) + float(weight)
            strongest = sorted(weights.items(), key=lambda pair: -pair[1])[:REASONS]
            reasons[row][place] = tuple(
                Reason(self.movies[self.rows[movie]], weight)
                for movie, weight in strongest
                if weight > 0
            )
        return reasons


def _padded(lists: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return lists of ids as rows of one length, at least 1."""
    rows = [list(ids) for ids in lists]
    length = max(1, *(len(row) for row in rows))
    return [row + [""] * (length - len(row)) for row in rows]


def _sample_users(file: Path) -> tuple[str, ...]:
    """Users that the model knows, from its golden requests; empty without the file."""
    return tuple(golden.known_users(golden.read(file))) if file.is_file() else ()
