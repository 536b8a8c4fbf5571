"""One loaded model that answers the requests of many users by one call of each signature.

Free of HTTP: requests and answers are the messages of `/api/v1`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from reelflow.base.columns import (
    COUNT,
    HISTORY,
    LIKE,
    MOVIE_ID,
    RATING,
    SCORE,
    SEEN,
    SOURCE,
    USER_ID,
    WEIGHT,
    K,
)
from reelflow.base.errors import BadInput
from reelflow.saved_model import golden
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.contract import (
    EXPLAIN,
    KNOWN_USER,
    OF_SERVER,
    RATE,
    RECOMMEND,
    SCORE_ALL,
    SIMILAR,
    TIMELINE,
    Source,
)
from reelflow.saved_model.files import GOLDEN, ModelInfo
from reelflow.serving import messages as m
from reelflow.serving.movie_index import FilterIndex, MovieSearch, best

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
        file = model.path / GOLDEN
        self.sample_users = golden.known_users(golden.read(file)) if file.is_file() else []
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
        user, movie = next(iter(self.sample_users), ""), self.movies[0].movie_id
        # Not validated: no bound of requests may keep a model from being loaded.
        recommend = m.RecommendRequest.model_construct(user_id=user, liked=[movie], explain=True)
        rate = m.RatingRequest.model_construct(user_id=user, movie_id=movie)
        for count in (1, batch):
            self.recommend([recommend] * count)
            self.similar([(movie, m.SimilarRequest.model_construct())] * count)
            self.rate([rate] * count)
            self.profile([m.ProfileRequest.model_construct(user_id=user)] * count)
            self.ask(RECOMMEND, {USER_ID: [user] * count})  # of `:predict`

    def recommend(self, requests: Sequence[m.RecommendRequest]) -> list[m.Recommendations]:
        """Score the catalogue for all users at once, then choose for each.

        Not by `serving_default`: filters, and movies that the user has seen, need the scores of
        movies that it leaves out. Without either the answers are the same, ties included.
        """
        users = [r.user_id or "" for r in requests]
        answer = self.ask(SCORE_ALL, {USER_ID: users, HISTORY: _padded(r.liked for r in requests)})
        scores, seen = answer[SCORE], answer[SEEN]
        cells: list[tuple[int, int]] = []  # request and movie, both by row
        for row, request in enumerate(requests):
            allowed = self.filters.mask(request)
            if not request.include_seen:
                allowed &= ~seen[row]
            allowed[[self.rows[movie] for movie in request.exclusions]] = False
            cells += [(row, movie) for movie in best(scores[row], allowed, request.k).tolist()]
        stars: list[float] = []
        if cells:
            rated = [self.movies[movie].movie_id for _, movie in cells]
            pairs = {USER_ID: [users[row] for row, _ in cells], MOVIE_ID: rated}
            stars = self.ask(RATE, pairs)[RATING].tolist()
        reasons = self._reasons(requests, cells)
        items: list[list[m.RecommendedMovie]] = [[] for _ in requests]
        for (row, movie), rating in zip(cells, stars, strict=True):
            items[row].append(
                m.RecommendedMovie.of(
                    self.movies[movie],
                    score=float(scores[row, movie]),
                    predicted_rating=rating,
                    seen=bool(seen[row, movie]),
                    because=reasons.get((row, movie)),
                )
            )
        return [
            m.Recommendations(
                model_version=self.version,
                source=cast(Source, answer[SOURCE][row].decode()),
                items=items[row],
            )
            for row in range(len(requests))
        ]

    def _reasons(
        self, requests: Sequence[m.RecommendRequest], cells: Sequence[tuple[int, int]]
    ) -> dict[tuple[int, int], list[m.ReasonMessage]]:
        """Return the movies that add most to the scores of the cells that are to be explained."""
        cells = [(row, movie) for row, movie in cells if requests[row].explain]
        if not cells:
            return {}
        answer = self.ask(
            EXPLAIN,
            {
                USER_ID: [requests[row].user_id or "" for row, _ in cells],
                MOVIE_ID: [self.movies[movie].movie_id for _, movie in cells],
                HISTORY: _padded(requests[row].liked for row, _ in cells),
            },
        )
        reasons = {}
        for cell, ids, added in zip(cells, answer[MOVIE_ID], answer[WEIGHT], strict=True):
            weights: dict[str, float] = {}
            for id_, weight in zip(ids, added, strict=True):
                if id_:
                    name = id_.decode()  # a movie rated twice is in the history twice
                    weights[name] = weights.get(name, 0.0) + float(weight)
            strongest = sorted(weights.items(), key=lambda pair: -pair[1])[:REASONS]
            reasons[cell] = [
                m.ReasonMessage(
                    movie_id=name, title=self.movies[self.rows[name]].title, weight=weight
                )
                for name, weight in strongest
                if weight > 0
            ]
        return reasons

    def similar(self, requests: Sequence[tuple[str, m.SimilarRequest]]) -> list[m.SimilarMovies]:
        """Return the movies nearest to each of some ids, of those that fit the conditions.

        With a filter the catalogue is ranked as a whole.
        """
        k = max(len(self.movies) if r.has_conditions else r.k for _, r in requests)
        ids = [movie_id for movie_id, _ in requests]
        answer = self.ask(SIMILAR, {MOVIE_ID: ids, K: min(k, len(self.movies))})
        answers = []
        for row, (movie_id, request) in enumerate(requests):
            fits = self.filters.mask(request)
            items: list[m.SimilarMovie] = []
            for id_, score in zip(answer[MOVIE_ID][row], answer[SCORE][row], strict=True):
                if len(items) == request.k or not id_:
                    break
                place = self.rows[id_.decode()]
                if fits[place]:
                    items.append(m.SimilarMovie.of(self.movies[place], score=float(score)))
            film = m.MovieMessage.of(self.movies[self.rows[movie_id]])
            answers.append(m.SimilarMovies(model_version=self.version, film=film, items=items))
        return answers

    def rate(self, requests: Sequence[m.RatingRequest]) -> list[m.PredictedRating]:
        """Predict stars, and the probability of a like where the model has one."""
        inputs = {
            USER_ID: [r.user_id for r in requests],
            MOVIE_ID: [r.movie_id for r in requests],
        }
        answer = self.ask(RATE, inputs)
        return [
            m.PredictedRating(
                model_version=self.version,
                user_id=request.user_id,
                movie_id=request.movie_id,
                rating=float(answer[RATING][row]),
                known_user=bool(answer[KNOWN_USER][row]),
                like=float(answer[LIKE][row]) if LIKE in answer else None,
            )
            for row, request in enumerate(requests)
        ]

    def profile(self, requests: Sequence[m.ProfileRequest]) -> list[m.ProfileMessage]:
        """Return what the model knows of users, from all of their ratings."""
        users = [r.user_id or "" for r in requests]
        counts = self.ask(TIMELINE, {USER_ID: users, K: 1})[COUNT].tolist()
        ids = self.ask(TIMELINE, {USER_ID: users, K: max(1, *counts)})[MOVIE_ID]
        profiles = []
        for row, request in enumerate(requests):
            names = [*reversed(request.liked), *(id_.decode() for id_ in ids[row] if id_)]
            movies = [self.movies[self.rows[name]] for name in dict.fromkeys(names)]
            genres = Counter(genre for movie in movies for genre in movie.genres)
            decades = Counter(f"{movie.year // 10}0s" for movie in movies if movie.year is not None)
            profiles.append(
                m.ProfileMessage(
                    model_version=self.version,
                    known=counts[row] > 0,
                    count=counts[row],
                    films=[m.MovieMessage.of(movie) for movie in movies[: request.k]],
                    genres=[m.ShareMessage(name=n, films=c) for n, c in genres.most_common()],
                    decades=[m.ShareMessage(name=n, films=c) for n, c in sorted(decades.items())],
                )
            )
        return profiles


def _padded(lists: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return lists of ids as rows of one length, at least 1."""
    rows = [list(ids) for ids in lists]
    length = max(1, *(len(row) for row in rows))
    return [row + [""] * (length - len(row)) for row in rows]
