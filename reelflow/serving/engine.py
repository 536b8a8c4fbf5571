"""What can be asked of an engine and what it answers, free of HTTP and of TensorFlow."""

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
from reelflow.serving.filters import ANYTHING, Filters, Where, best
from reelflow.serving.search import MovieSearch


@dataclass(frozen=True)
class Wanted:
    """Recommendations for one user."""

    user_id: str = ""
    """Empty for somebody whom the model need not know."""
    liked: tuple[str, ...] = ()
    """Ids of movies that the user likes, the newest last, beside those the model knows of."""
    k: int = 10
    exclusions: tuple[str, ...] = ()
    where: Where = ANYTHING
    include_seen: bool = False
    explain: bool = False


@dataclass(frozen=True)
class Reason:
    """A movie of the user's history, and what it adds to the score of a recommendation."""

    movie: Movie
    weight: float


@dataclass(frozen=True)
class Pick:
    """A recommended movie."""

    movie: Movie
    score: float
    rating: float
    """Predicted stars; for a user whom the model does not know, those of an average user."""
    seen: bool
    because: tuple[Reason, ...] = ()
    """Movies that speak for it, the most first; empty unless asked for."""


@dataclass(frozen=True)
class Picks:
    """Recommendations, best first; fewer than asked for when no more are left."""

    source: Source
    items: tuple[Pick, ...]


@dataclass(frozen=True)
class Like:
    """Movies like one movie."""

    movie_id: str
    k: int = 10
    where: Where = ANYTHING


@dataclass(frozen=True)
class Near:
    """A movie and its cosine with the one asked about."""

    movie: Movie
    score: float


@dataclass(frozen=True)
class Pair:
    """A user and a movie, for a predicted rating."""

    user_id: str
    movie_id: str


@dataclass(frozen=True)
class Whom:
    """A user by id, by movies, or both, for a profile."""

    user_id: str = ""
    liked: tuple[str, ...] = ()
    k: int = 20


@dataclass(frozen=True)
class Share:
    """How many of a user's movies have something in common."""

    name: str
    movies: int


@dataclass(frozen=True)
class Profile:
    """What the model knows about a user."""

    known: bool
    count: int
    """Ratings by the user in the model's training data."""
    movies: tuple[Movie, ...]
    """The last of them, and those named in the request; the newest first."""
    genres: tuple[Share, ...]
    """Of all its movies, the most frequent first."""
    decades: tuple[Share, ...]
    """Of all its movies with a year, in order of time."""


# A loaded model that answers many questions by one call of each signature.


REASONS: Final = 3


Measured = Callable[[Path], Mapping[str, float]]


class Engine:
    """Everything the server knows while one version is served.

    The methods that take a sequence take questions of several requests and answer them in order.
    What they are asked about must exist: requests are checked against the same engine before.
    """

    def __init__(self, model: ServedModel, measured: Measured = lambda _: {}) -> None:
        """Take a loaded model.

        Args:
            model: with all signatures that Trainer exports.
            measured: finds the metrics of a version by its folder; empty if it has none (yet).

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
        self.filters = Filters(self.movies)
        self.search = MovieSearch(self.movies)
        self.info = ModelInfo.read(model.path)
        self.sample_users = _sample_users(model.path / GOLDEN)
        self._measured = measured
        self._metrics: Mapping[str, float] = {}
        self.ask = model.signatures.call

    def metrics(self) -> Mapping[str, float]:
        """The version's metrics.

        Looked for until they are there: a run pushes first and writes its summary afterwards.
        """
        self._metrics = self._metrics or self._measured(self.model.path)
        return self._metrics

    def warm_up(self, batch: int) -> None:
        """Ask everything once, so that no user waits for TensorFlow's first call."""
        user = next(iter(self.sample_users), "")
        movie = self.movies[0].movie_id
        for count in (1, batch):
            self.recommend([Wanted(user, (movie,), explain=True)] * count)
            self.similar([Like(movie)] * count)
            self.rate([Pair(user, movie)] * count)
            self.profile([Whom(user)] * count)
            self.ask(RECOMMEND, {USER_ID: [user] * count})  # of `:predict`

    def recommend(self, questions: Sequence[Wanted]) -> list[Picks]:
        """Score the catalogue for all users at once, then choose for each.

        Not by `serving_default`: filters, and movies that the user has seen, need the scores of
        movies that it leaves out. Without either the answers are the same, ties included.
        """
        whole = self.ask(
            SCORE_ALL,
            {USER_ID: [q.user_id for q in questions], HISTORY: _padded(q.liked for q in questions)},
        )
        chosen = []
        for row, question in enumerate(questions):
            allowed = self.filters.mask(question.where)
            if not question.include_seen:
                allowed &= ~whole[SEEN][row]
            allowed[[self.rows[movie] for movie in question.exclusions]] = False
            chosen.append(best(whole[SCORE][row], allowed, question.k))
        stars = self._stars(questions, chosen)
        reasons = self._reasons(questions, chosen)
        return [
            Picks(
                cast(Source, whole[SOURCE][row].decode()),
                tuple(
                    Pick(
                        self.movies[movie],
                        float(whole[SCORE][row, movie]),
                        float(rating),
                        bool(whole[SEEN][row, movie]),
                        because,
                    )
                    for movie, rating, because in zip(
                        chosen[row], stars[row], reasons[row], strict=True
                    )
                ),
            )
            for row in range(len(questions))
        ]

    def similar(self, questions: Sequence[Like]) -> list[list[Near]]:
        """Movies like others; with a filter the whole catalogue is asked for."""
        k = max(len(self.movies) if q.where else q.k for q in questions)
        movies = [q.movie_id for q in questions]
        answer = self.ask(SIMILAR, {MOVIE_ID: movies, K: min(k, len(self.movies))})
        answers = []
        for row, question in enumerate(questions):
            fits = self.filters.mask(question.where)
            found: list[Near] = []
            for movie, score in zip(answer[MOVIE_ID][row], answer[SCORE][row], strict=True):
                if len(found) == question.k or not movie:
                    break
                place = self.rows[movie.decode()]
                if fits[place]:
                    found.append(Near(self.movies[place], float(score)))
            answers.append(found)
        return answers

    def rate(self, questions: Sequence[Pair]) -> list[RatingPrediction]:
        """Predicted stars, and the probability of a like where the model has one."""
        inputs = {
            USER_ID: [q.user_id for q in questions],
            MOVIE_ID: [q.movie_id for q in questions],
        }
        return rating_predictions(self.ask(RATE, inputs))

    def profile(self, questions: Sequence[Whom]) -> list[Profile]:
        """What the model knows about users, whose whole timelines count."""
        users = [q.user_id for q in questions]
        first = self.ask(TIMELINE, {USER_ID: users, K: 1})
        longest = int(max(1, *first[COUNT]))
        ids = self.ask(TIMELINE, {USER_ID: users, K: longest})[MOVIE_ID]
        profiles = []
        for row, question in enumerate(questions):
            timeline = [self.movies[self.rows[id_.decode()]] for id_ in ids[row] if id_]
            named = [self.movies[self.rows[movie]] for movie in reversed(question.liked)]
            movies = list(dict.fromkeys([*named, *timeline]))
            genres = Counter(genre for movie in movies for genre in movie.genres)
            decades = Counter(f"{movie.year // 10}0s" for movie in movies if movie.year is not None)
            count = int(first[COUNT][row])
            profiles.append(
                Profile(
                    known=count > 0,
                    count=count,
                    movies=tuple(movies[: question.k]),
                    genres=tuple(Share(*pair) for pair in genres.most_common()),
                    decades=tuple(Share(*pair) for pair in sorted(decades.items())),
                )
            )
        return profiles

    def _stars(self, questions: Sequence[Wanted], chosen: Sequence[Any]) -> list[list[float]]:
        pairs = [
            Pair(question.user_id, self.movies[movie].movie_id)
            for question, movies in zip(questions, chosen, strict=True)
            for movie in movies
        ]
        rated = [one.rating for one in self.rate(pairs)] if pairs else []
        ends = [0, *accumulate(len(movies) for movies in chosen)]
        return [rated[start:end] for start, end in pairwise(ends)]

    def _reasons(
        self, questions: Sequence[Wanted], chosen: Sequence[Any]
    ) -> list[list[tuple[Reason, ...]]]:
        """For each chosen movie the movies that add most to its score, as the model tells."""
        reasons: list[list[tuple[Reason, ...]]] = [[()] * len(movies) for movies in chosen]
        cells = [
            (row, place)
            for row, question in enumerate(questions)
            if question.explain
            for place in range(len(chosen[row]))
        ]
        if not cells:
            return reasons
        answer = self.ask(
            EXPLAIN,
            {
                USER_ID: [questions[row].user_id for row, _ in cells],
                MOVIE_ID: [self.movies[chosen[row][place]].movie_id for row, place in cells],
                HISTORY: _padded(questions[row].liked for row, _ in cells),
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
    """List of ids as rows of one length, at least 1."""
    rows = [list(ids) for ids in lists]
    length = max(1, *(len(row) for row in rows))
    return [row + [""] * (length - len(row)) for row in rows]


def _sample_users(file: Path) -> tuple[str, ...]:
    """Users that the model knows, from its golden requests; empty without the file."""
    return tuple(golden.known_users(golden.read(file))) if file.is_file() else ()
