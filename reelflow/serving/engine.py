"""One loaded model that answers the requests of many users by one call of each signature.

Free of HTTP: requests and answers are the messages of `/api/v1`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base.columns import (
    COUNT,
    LIKE,
    MOVIE_ID,
    RATING,
    SCORE,
    SEEN,
    USER_ID,
    K,
)
from reelflow.base.errors import BadInput
from reelflow.saved_model import golden
from reelflow.saved_model.catalogue import Movie
from reelflow.saved_model.client import ServedModel, named_history
from reelflow.saved_model.contract import (
    KNOWN_USER,
    OF_SERVER,
    RATE,
    RECOMMEND,
    SIMILAR,
    TIMELINE,
)
from reelflow.saved_model.files import GOLDEN
from reelflow.serving import messages as m
from reelflow.serving.lists import Ranked, rank
from reelflow.serving.movie_index import FilterIndex, Mask, MovieSearch
from reelflow.serving.posters import Posters
from reelflow.serving.privacy import movies_for_a_user
from reelflow.serving.ready import ReadyAnswers
from reelflow.serving.rules.catalogued import Catalogued
from reelflow.serving.rules.messages import Rules
from reelflow.serving.why import why as why_of

_RULES: Final = 64  # kept: the file's, and those of requests under way
_NOT_ASKED: Final = {"because": None, "because_kind": None, "because_genre": None}

MetricsOf = Callable[[Path], Mapping[str, float]]
"""Returns the metrics of a version by its folder; empty if it has none (yet)."""


class Engine:
    """The model of one version with its catalogue, filters and search.

    The methods that take a sequence answer the requests of several users in order. Movies and
    genres in them must exist: `api` checks requests against the same engine before.
    """

    def __init__(
        self,
        model: ServedModel,
        metrics_of: MetricsOf = lambda _: {},
        posters: Posters | None = None,
    ) -> None:
        """Take a loaded model.

        Args:
            model: with all signatures that Trainer exports.
            metrics_of: finds the metrics of a version.
            posters: movies' own pictures; None: there are none.

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
        if posters:
            self.movies = tuple(replace(m, poster=posters.address(m.movie_id)) for m in self.movies)
        self.rows = {movie.movie_id: row for row, movie in enumerate(self.movies)}
        self.filters = FilterIndex(self.movies)
        self.search = MovieSearch(self.movies)
        self.info = model.info
        self.stars = model.stars
        file = model.path / GOLDEN
        self.sample_users = golden.known_users(golden.read(file)) if file.is_file() else []
        self._metrics_of = metrics_of
        self._metrics: Mapping[str, float] = {}
        self._measuring = threading.Lock()
        self.ask = model.signatures.call
        self.ready = ReadyAnswers.of(self)
        """Answers that are ready; None if the model has no such lists."""
        self._rules: dict[int, Catalogued] = {}

    @cached_property
    def vectors(self) -> npt.NDArray[np.float32] | None:
        """Unit vectors of all movies, float32 [movies, size]; None if the model has none."""
        return self.model.signatures.movie_directions

    def catalogued(self, rules: Rules) -> Catalogued:
        """Return rules about this catalogue's movies; those of the file are kept."""
        kept = self._rules.get(id(rules))
        if kept is None or kept.rules is not rules:
            kept = Catalogued(rules, self.rows, self.filters)
            if len(self._rules) >= _RULES:
                self._rules.clear()
            self._rules[id(rules)] = kept
        return kept

    def metrics(self) -> Mapping[str, float]:
        """Return the version's metrics.

        Looked for until they are there: a run pushes first and writes its summary afterwards.
        """
        with self._measuring:  # who asks meanwhile waits for the one that looks
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
            self.recommend_discreetly([recommend] * count)
            self.similar([(movie, m.SimilarRequest.model_construct(), None)] * count)
            self.rate([rate] * count)
            self.profile([m.ProfileRequest.model_construct(user_id=user)] * count)
            self.ask(RECOMMEND, {USER_ID: [user] * count})  # of `:predict`

    def recommend(self, requests: Sequence[m.RecommendRequest]) -> list[m.Recommendations]:
        """Return the best movies for each request."""
        return self._recommend(requests, None)

    def recommend_discreetly(
        self, requests: Sequence[m.RecommendRequest]
    ) -> list[m.Recommendations]:
        """Return the best movies of those that may be shown for a user id."""
        return self._recommend(requests, self.shown([r.user_id or "" for r in requests]))

    def shown(self, users: Sequence[str | bytes]) -> Mask:
        """Return the movies from which answers to user ids are chosen by a discreet server.

        Args:
            users: ids; the empty one stands for a request without a user.

        Returns:
            bool [users, movies], in the catalogue's order; all True without a user.
        """
        inputs = {USER_ID: list(users), K: movies_for_a_user(len(self.movies))}
        shown = np.zeros((len(users), len(self.movies)), np.bool_)
        for row, ids in enumerate(self.ask(RECOMMEND, inputs)[MOVIE_ID]):
            shown[row, [self.rows[id_.decode()] for id_ in ids if id_]] = True
            shown[row] |= not users[row]
        return shown

    def rank(self, requests: Sequence[m.RecommendRequest]) -> Ranked:
        """Return lists as arrays, for many users at once."""
        return rank(self, requests, None)

    def _recommend(
        self, requests: Sequence[m.RecommendRequest], shown: Mask | None
    ) -> list[m.Recommendations]:
        ranked = rank(self, requests, shown)
        answer = ranked.answer
        movies = {cell: self._movie(answer[MOVIE_ID][cell]) for cell in ranked.cells()}
        why = why_of(self, ranked, [row for row, request in enumerate(requests) if request.explain])
        items: list[list[m.RecommendedMovie]] = [[] for _ in requests]
        for (row, place), movie in movies.items():
            items[row].append(
                m.RecommendedMovie.of(
                    movie,
                    score=float(answer[SCORE][row, place]),
                    predicted_rating=self.stars_or_none(answer[RATING][row, place]),
                    seen=bool(answer[SEEN][row, place]),
                    **why.get((row, place), _NOT_ASKED),
                )
            )
        return [
            m.Recommendations(
                model_version=self.version,
                source=ranked.sources[row],
                items=items[row],
                next=ranked.next_cursor(row, self.version),
            )
            for row in range(len(requests))
        ]

    def listed(
        self, request: m.MoviesRequest, start: int, hidden: Mask | None
    ) -> tuple[list[Movie], bool]:
        """Return a page of the movies found by title, or of all; and whether there are more.

        Args:
            request: the conditions.
            start: movies of the pages before.
            hidden: movies that are not listed, bool [movies]; found by title they are.
        """
        fits = self.filters.mask(request)
        if request.search:
            count = len(self.movies) if request.has_conditions else start + request.limit + 1
            found = [self.rows[one.movie_id] for one in self.search.find(request.search, count)]
        else:
            orders = {"popular": self.filters.popular, "new": self.filters.newest}
            found = orders.get(request.sort, [*range(len(self.movies))])
            fits = fits if hidden is None else fits & ~hidden
        rows = [row for row in found if fits[row]][start:]
        return [self.movies[row] for row in rows[: request.limit]], len(rows) > request.limit

    def similar(
        self, requests: Sequence[tuple[str, m.SimilarRequest, Mask | None]]
    ) -> list[m.SimilarMovies]:
        """Return the movies nearest to each of some ids, of those that fit and are not hidden.

        With a filter the catalogue is ranked as a whole.
        """
        k = max(
            len(self.movies) if r.has_conditions or hidden is not None else r.k
            for _, r, hidden in requests
        )
        ids = [movie_id for movie_id, *_ in requests]
        answer = self.ask(SIMILAR, {MOVIE_ID: ids, K: min(k, len(self.movies))})
        answers = []
        for row, (movie_id, request, hidden) in enumerate(requests):
            fits = self.filters.mask(request)
            fits = fits if hidden is None else fits & ~hidden
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
                rating=self.stars_or_none(answer[RATING][row]),
                known_user=bool(answer[KNOWN_USER][row]),
                like=float(answer[LIKE][row]) if LIKE in answer else None,
            )
            for row, request in enumerate(requests)
        ]

    def profile(self, requests: Sequence[m.ProfileRequest]) -> list[m.ProfileMessage]:
        """Return what the model knows of users, from all of their ratings."""
        known = self.timelines([r.user_id or "" for r in requests])
        profiles = []
        for request, (count, timeline) in zip(requests, known, strict=True):
            named = named_history(self.stars, request.liked, request.disliked, request.ratings)
            rated = {**dict(reversed(named.items())), **timeline, **named}  # keeps the first place
            movies = [self.movies[self.rows[name]] for name in rated]
            genres = Counter(genre for movie in movies for genre in movie.genres)
            decades = Counter(f"{movie.year // 10}0s" for movie in movies if movie.year is not None)
            films = [
                m.RatedMovie.of(movie, rating=self.stars_or_none(rated[movie.movie_id]))
                for movie in movies[: request.k]
            ]
            profiles.append(
                m.ProfileMessage(
                    model_version=self.version,
                    known=count > 0,
                    count=count,
                    films=films,
                    genres=[m.ShareMessage(name=n, films=c) for n, c in genres.most_common()],
                    decades=[m.ShareMessage(name=n, films=c) for n, c in sorted(decades.items())],
                )
            )
        return profiles

    def timelines(self, users: Sequence[str]) -> list[tuple[int, dict[str, float]]]:
        """Return the number of ratings of each user, and stars by movie, the newest first."""
        counts = self.ask(TIMELINE, {USER_ID: users, K: 1})[COUNT].tolist()
        answer = self.ask(TIMELINE, {USER_ID: users, K: max(1, *counts)})
        timelines = []
        for count, ids, stars in zip(
            counts, answer[MOVIE_ID], answer[RATING].tolist(), strict=True
        ):
            rated: dict[str, float] = {}
            for id_, rating in zip(ids, stars, strict=True):
                if id_:
                    rated.setdefault(id_.decode(), rating)
            timelines.append((count, rated))
        return timelines

    def _movie(self, id_: bytes) -> Movie:
        return self.movies[self.rows[id_.decode()]]

    def stars_or_none(self, rating: float) -> float | None:
        """Return stars for a message: None if they are not known, or the model has none."""
        return None if self.stars is None or math.isnan(rating) else float(rating)
