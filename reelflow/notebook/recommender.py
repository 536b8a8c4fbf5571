"""`Recommender`: a pushed model, asked from Python, with tables as answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from reelflow.base.columns import (
    AS_JUDGED,
    GENRES,
    LIKE,
    MOVIE_ID,
    RANK_RAW,
    RANK_UNSEEN,
    RATING,
    SCORE,
    SEEN,
    SOURCE,
    TITLE,
    USER_ID,
    WEIGHT,
    YEAR,
    K,
)
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.evaluation.bootstrap import Measured
from reelflow.evaluation.metrics import Predictions, row_columns
from reelflow.notebook.tiles import MovieTable
from reelflow.registry.alias import Alias
from reelflow.registry.store import SCHEME, address
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.contract import (
    BLEND,
    EVALUATE,
    EXPLAIN,
    RATE,
    RECOMMEND,
    SCORE_ALL,
    SIMILAR,
    Order,
)
from reelflow.saved_model.files import SAVED_MODEL
from reelflow.saved_model.manifest import latest_version

_USERS_AT_ONCE: Final = 256
_METRICS: Final = (
    "unseen/top_10",
    "unseen/top_100",
    "unseen/ndcg_10",
    "liked/top_10",
    "liked/top_100",
    "liked/ndcg_10",
    "rmse",
    "mae",
)


class Recommender:
    """A pushed model with its catalogue.

    Every answer is a `pandas.DataFrame`; those with a movie in each row are drawn as posters by a
    notebook. Ids are text; numbers are taken as their text.
    """

    def __init__(self, model: ServedModel) -> None:
        """Take a loaded model; see `load`."""
        self._model = model
        movies = model.catalogue.movies.values()
        self.movies = MovieTable(
            {
                TITLE: [movie.title for movie in movies],
                GENRES: [list(movie.genres) for movie in movies],
                YEAR: pd.array([movie.year for movie in movies], "Int64"),
                "ratings": [movie.rating_count for movie in movies],
            },
            index=pd.Index([movie.movie_id for movie in movies], name=MOVIE_ID),
        )
        """The catalogue: `title`, `genres`, `year` and `ratings` (their number), by `movie_id`."""

    @classmethod
    def load(cls, source: str | Path = "output", registry: str | None = None) -> Recommender:
        """Load a model.

        Args:
            source: an output folder of `reelflow run`, a serving folder, the folder of one version,
                or an alias of the registry, `models:/reelflow@champion`.
            registry: URI of the registry of an alias; None for the one in `./output`.

        Raises:
            BadInput: there is no model, or a damaged one.
        """
        if str(source).startswith(SCHEME):
            layout = Layout.of(Path("output"))
            uri = address(registry, layout.registry)
            return cls(
                ServedModel.load(Alias(str(source), layout.output / "registered", uri).folder())
            )
        folder = Path(source)
        if (folder / SAVED_MODEL).is_file():
            return cls(ServedModel.load(folder))
        serving = Layout.of(folder).serving
        return cls(ServedModel.load(latest_version(serving if serving.is_dir() else folder)))

    def __repr__(self) -> str:
        """Name the model and the size of its catalogue."""
        return (
            f"<Recommender {self._model.path}: {self._model.info.noun.counted(len(self.movies))}>"
        )

    def recommend(
        self,
        users: str | int | Sequence[str | int] = "",
        k: int = 10,
        *,
        liked: Sequence[str | int] = (),
        disliked: Sequence[str | int] = (),
        exclusions: Sequence[str | int] = (),
        order: Order = BLEND,
        min_rating: float | None = None,
    ) -> MovieTable:
        """Return the best movies that users have not rated.

        Args:
            users: one id or several; the empty one stands for a newcomer, for whom `liked` and
                `disliked` count, or else what is popular.
            k: movies for each user, at least 1.
            liked: ids of movies that the users like besides, the newest last.
            disliked: the same of those that they do not like.
            exclusions: ids of movies to leave out.
            order: `blend`, `retrieval` or `stars`.
            min_rating: least predicted stars on the data's own scale; None for any.

        Returns:
            By user and movie: `user_id`, `rank` (from 1), `movie_id`, `title`, `genres`,
            `year`, `score`, `predicted_rating` (stars; missing in a model without), `source` (what
            the answer comes from: `user`, `history` or `popularity`).

        Raises:
            BadInput: a movie is unknown, or the conditions do not suit the model.
        """
        if k < 1:
            raise BadInput(f"k must be at least 1, not {k}.")
        asked = self._model.conditions(
            _ids(liked), _ids(disliked), _ids(exclusions), order, min_rating
        )
        parts = []
        ids = _ids(users)
        for start in range(0, len(ids), _USERS_AT_ONCE):
            block = ids[start : start + _USERS_AT_ONCE]
            answer = self._model.signatures.call(
                RECOMMEND, {USER_ID: block, K: min(k, len(self.movies)), **asked}
            )
            row, place = np.nonzero(answer[MOVIE_ID] != b"")
            parts.append(
                {
                    USER_ID: np.array(block, object)[row],
                    "rank": place + 1,
                    MOVIE_ID: _texts(answer[MOVIE_ID][row, place]),
                    SCORE: answer[SCORE][row, place],
                    "predicted_rating": self._stars(answer[RATING][row, place]),
                    "source": _texts(answer[SOURCE][row]),
                }
            )
        return self._described(_together(parts), before=[USER_ID, "rank", MOVIE_ID])

    def similar(self, movie_id: str | int, k: int = 10) -> MovieTable:
        """Return the movies nearest to one.

        Returns:
            `movie_id`, `title`, `genres`, `year`, `similarity` (the cosine of the two movies'
            embeddings), the nearest first.

        Raises:
            BadInput: the movie is unknown.
        """
        inputs = {MOVIE_ID: self._known([movie_id]), K: min(k, len(self.movies))}
        answer = self._model.signatures.call(SIMILAR, inputs)
        filled = answer[MOVIE_ID][0] != b""
        columns = {
            MOVIE_ID: _texts(answer[MOVIE_ID][0][filled]),
            "similarity": answer[SCORE][0][filled],
        }
        return self._described(columns, before=[MOVIE_ID])

    def rate(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Predict stars.

        Args:
            pairs: `user_id` and `movie_id`, whatever else; either may be unknown to the model.

        Returns:
            The same rows with `predicted_rating` (stars on the data's own scale), `known_user`,
            `known_movie` and, of models that have it, `like` (the probability of a like).

        Raises:
            BadInput: a column is missing.
        """
        users, movies = _column(pairs, USER_ID), _column(pairs, MOVIE_ID)
        answer = self._model.signatures.call(RATE, {USER_ID: users, MOVIE_ID: movies})
        names = {
            RATING: "predicted_rating",
            "known_user": "known_user",
            "known_movie": "known_movie",
        }
        found = {column: answer[name] for name, column in names.items()}
        if LIKE in answer:
            found["like"] = answer[LIKE]
        return pairs.assign(**found)

    def explain(self, user: str | int, movies: Sequence[str | int], k: int = 5) -> pd.DataFrame:
        """Say what of a user's history speaks for and against movies.

        Args:
            user: an id that the model knows.
            movies: their ids.
            k: reasons for each, the strongest first.

        Returns:
            A row for each reason: `movie_id` and `title`, `because_movie_id` and `because_title` (a
            movie of the history), `weight` (what it adds to the score), `rating` (the user's own
            stars).
        """
        ids = self._known(movies)
        answer = self._model.signatures.call(
            EXPLAIN, {USER_ID: [str(user)] * len(ids), MOVIE_ID: ids}
        )
        rows = []
        for movie, names, weights, stars in zip(
            ids, answer[MOVIE_ID], answer[WEIGHT], answer[RATING], strict=True
        ):
            strongest = [at for at in np.argsort(-np.abs(weights), kind="stable") if names[at]][:k]
            rows += [
                {
                    MOVIE_ID: movie,
                    TITLE: self._title(movie),
                    "because_movie_id": names[at].decode(),
                    "because_title": self._title(names[at].decode()),
                    WEIGHT: float(weights[at]),
                    RATING: float(stars[at]),
                }
                for at in strongest
            ]
        columns = [MOVIE_ID, TITLE, "because_movie_id", "because_title", WEIGHT, RATING]
        return pd.DataFrame(rows, columns=columns)

    def evaluate(self, ratings: pd.DataFrame, seed: int = 42) -> pd.DataFrame:
        """Measure the model on ratings that it has not seen, as the gate does.

        The model answers as it was judged: from the train and validation ratings of its run. A row
        whose movie its user had rated there is left out. *Unseen* ranks a row's movie among all
        that its user has not rated; *liked* are the rows with stars from the like threshold on.

        Args:
            ratings: `user_id`, `movie_id` and `rating` (stars on the data's own scale).
            seed: of the bootstrap.

        Returns:
            By `metric`: `value`, `low` and `high` (95 % interval, by a bootstrap over users) and
            `rows` (how many count).

        Raises:
            BadInput: a column is missing, or no row is left.
        """
        frame = pd.DataFrame(
            {USER_ID: _column(ratings, USER_ID), MOVIE_ID: _column(ratings, MOVIE_ID)}
        )
        frame[RATING] = np.asarray(_required(ratings, RATING), np.float32)
        frame = frame[~self._rated_before(frame)].sort_values(USER_ID, kind="stable")
        if frame.empty:
            raise BadInput("No rating is left to measure by: the model knows all of them.")
        answers = []
        for start in range(0, len(frame), _USERS_AT_ONCE):
            block = frame.iloc[start : start + _USERS_AT_ONCE]
            inputs = {USER_ID: block[USER_ID].tolist(), MOVIE_ID: block[MOVIE_ID].tolist()}
            answers.append(self._model.signatures.call(EVALUATE, inputs))
        stars, raw, unseen = (
            np.concatenate([answer[name] for answer in answers])
            for name in (RATING, RANK_RAW, RANK_UNSEEN)
        )
        given = frame[RATING].to_numpy()
        scale = self._model.info.stars
        columns = row_columns(
            Predictions(stars, raw, unseen), given, scale.like_threshold if scale else np.inf
        )
        users = pd.factorize(frame[USER_ID])[0].astype(np.int32)
        measured = Measured.of(columns, users, seed)
        found = [path for path in _METRICS if path in measured.values]
        lows, highs = zip(*(measured.intervals[path] for path in found), strict=True)
        liked = int((given >= scale.like_threshold).sum()) if scale else 0
        return pd.DataFrame(
            {
                "value": [measured.values[path] for path in found],
                "low": lows,
                "high": highs,
                "rows": [liked if path.startswith("liked/") else len(frame) for path in found],
            },
            index=pd.Index(found, name="metric"),
        )

    def _rated_before(self, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return True for rows whose movie its user had rated before the test, bool [rows]."""
        row_of = {movie: row for row, movie in enumerate(self.movies.index)}
        movies = np.array([row_of.get(movie, -1) for movie in frame[MOVIE_ID]])
        users, user_of = np.unique(frame[USER_ID].to_numpy(str), return_inverse=True)
        rated = np.zeros(len(frame), np.bool_)
        for start in range(0, len(users), _USERS_AT_ONCE):
            block = users[start : start + _USERS_AT_ONCE].tolist()
            seen = self._model.signatures.call(SCORE_ALL, {USER_ID: block, AS_JUDGED: True})[SEEN]
            rows = np.flatnonzero(
                (user_of >= start) & (user_of < start + len(block)) & (movies >= 0)
            )
            rated[rows] = seen[user_of[rows] - start, movies[rows]]
        return rated

    def _described(self, columns: Mapping[str, Any], before: Sequence[str]) -> MovieTable:
        """Return a table with the movies' titles, genres and years after the columns `before`."""
        about = self.movies.loc[list(columns[MOVIE_ID]), [TITLE, GENRES, YEAR]]
        after = [name for name in columns if name not in before]
        return MovieTable(
            {
                **{name: columns[name] for name in before},
                **{name: about[name].array for name in (TITLE, GENRES, YEAR)},
                **{name: columns[name] for name in after},
            }
        )

    def _known(self, movies: Sequence[str | int]) -> list[str]:
        return [self._model.catalogue.find(str(movie)).movie_id for movie in movies]

    def _title(self, movie_id: str) -> str:
        return self._model.catalogue.movies[movie_id].title

    def _stars(self, stars: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return np.where(self._model.stars is not None, stars, np.nan).astype(np.float32)


def _ids(users: str | int | Sequence[str | int]) -> list[str]:
    return [str(users)] if isinstance(users, (str, int)) else [str(user) for user in users]


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    return np.array([value.decode() for value in values], object)


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _required(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        listed = ", ".join(map(str, frame.columns))
        raise BadInput(f"The table has no column {name!r}.", f"Its columns are: {listed}.")
    return frame[name]


def _column(frame: pd.DataFrame, name: str) -> list[str]:
    """Return a column of ids as texts."""
    return [str(value) for value in _required(frame, name)]
