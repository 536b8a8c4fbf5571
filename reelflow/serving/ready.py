"""Ready lists as JSON, read from the model's own tables without a call of TensorFlow.

The answer is the signature's. Where a request says anything of its own, there is none.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reelflow.base.columns import MOVIE_ID, SCORE, SOURCE, USER_ID, K
from reelflow.data.parquet import open_own
from reelflow.saved_model.client import Arrays
from reelflow.saved_model.contract import BLEND, FROM_USER, RECOMMEND
from reelflow.saved_model.files import USERS
from reelflow.saved_model.reasons import MOVIES
from reelflow.serving import messages as m
from reelflow.serving.cursors import DEEPEST, cursor

if TYPE_CHECKING:
    from reelflow.serving.engine import Engine

log = logging.getLogger("reelflow.serving")

_AT_ONCE: Final = 1_024
"""Users whose numbers are checked by one call of the model."""
_TABLES: Final = ("scores", "movies", "stars", "reasons", "reason_weights", "reason_stars")
_NOT_ASKED: Final = '"because":null,"because_kind":null,"because_genre":null'
_BY_MOVIES: Final = f'"because_kind":"{MOVIES}","because_genre":null'


class ReadyAnswers:
    """The lists of one engine's users of whom requests say nothing new."""

    def __init__(self, engine: Engine, lists: Arrays, users: list[str]) -> None:
        """Take the tables.

        Args:
            engine: their model's.
            lists: as `_tables` returns them.
            users: all that have ratings, those of train first, which lists are numbered by; behind
                them the lists have a row for the unknown user.
        """
        self._engine = engine
        self._scores, self._movies, self._stars, self._reasons, self._weights, self._given = (
            lists[name] for name in _TABLES
        )
        self._rated = engine.stars is not None
        asked = [
            engine.ask(RECOMMEND, {USER_ID: users[start : start + _AT_ONCE], K: 1})
            for start in range(0, len(users), _AT_ONCE)
        ]
        first = {key: np.concatenate([one[key] for one in asked]) for key in asked[0]}
        names, self._sources = np.unique(first[SOURCE], return_inverse=True)
        known = int((first[SOURCE] == FROM_USER.encode()).sum())
        rows = np.arange(len(users))
        rows[known:] += 1
        self._rows = dict(zip(users, rows.tolist(), strict=True))
        self._sources = np.insert(self._sources, known, 0)  # of the unknown user: never asked for
        self._heads = [
            f'{{"model_version":{engine.version},"source":"{name.decode()}","items":['
            for name in names
        ]
        self._texts: dict[int, str] = {}
        self._titles: dict[int, str] = {}
        ids = [engine.rows.get(id_.decode(), -1) for id_ in first[MOVIE_ID][:, 0]]
        self.is_exact = bool(
            len(self._movies) == len(users) + 1
            and (self._movies[rows, 0] == ids).all()
            and (self._scores[rows, 0] == first[SCORE][:, 0]).all()
        )
        """True if each list begins as the signature's."""

    @classmethod
    def of(cls, engine: Engine) -> ReadyAnswers | None:
        """Return an engine's ready lists; None if its model has none that can be read."""
        lists = _tables(engine.model.signatures.exported)
        file = engine.model.path / USERS
        if lists is None or not file.is_file():
            return None
        with open_own(file) as table:
            users = table.read()[USER_ID].to_pylist()
        if not users:
            return None
        found = cls(engine, lists, users)
        if not found.is_exact:
            log.warning("the ready lists of version %s are left unused", engine.version)
        return found if found.is_exact else None

    def answer(self, request: m.RecommendRequest) -> bytes | None:
        """Return the JSON of `m.Recommendations`, or None if the model has to be asked."""
        row = self._rows.get(request.user_id or "")
        if row is None or not _says_nothing_new(request):
            return None
        end = request.offset + request.k
        wanted = min(end + 1, len(self._engine.movies))
        if wanted > self._movies.shape[1]:
            return None
        part = slice(request.offset, wanted)
        movies = [movie for movie in self._movies[row, part].tolist() if movie >= 0]
        kept = movies[: request.k]
        scores, stars = self._scores[row, part].tolist(), self._stars[row, part].tolist()
        why = self._why(row, request.offset, len(kept)) if request.explain else repeat(_NOT_ASKED)
        if why is None:
            return None
        items = [
            f'{self._text(movie)},"score":{score},"predicted_rating":{self._rating(star)},'
            f'"seen":false,{because}}}'
            for movie, score, star, because in zip(kept, scores, stars, why, strict=False)
        ]
        more = len(movies) > request.k and end < DEEPEST
        place = f'"{_cursor(self._engine.version, end)}"' if more else "null"
        head = self._heads[self._sources[row]]
        return f'{head}{",".join(items)}],"next":{place},"unknown_ids":[]}}'.encode()

    def _why(self, row: int, offset: int, count: int) -> list[str] | None:
        """Return the reasons of a list's first movies; None if they are not all ready.

        Those of a later page depend on nothing before it, and a genre may stand for none.
        """
        if offset or count > self._reasons.shape[1]:
            return None
        named, weights, stars = (
            table[row, :count].tolist() for table in (self._reasons, self._weights, self._given)
        )
        if any(movies[0] < 0 for movies in named):
            return None
        return [
            f'"because":[{",".join(map(self._reason, *one))}],{_BY_MOVIES}'
            for one in zip(
                ([movie for movie in movies if movie >= 0] for movies in named),
                weights,
                stars,
                strict=True,
            )
        ]

    def _reason(self, movie: int, weight: float, star: float) -> str:
        return f'{self._title(movie)},"weight":{weight},"rating":{self._rating(star)}}}'

    def _rating(self, star: float) -> str:
        return str(star) if self._rated and star == star else "null"

    def _text(self, movie: int) -> str:
        """Return an item's JSON up to its score."""
        text = self._texts.get(movie)
        if text is None:
            whole = m.MovieMessage.of(self._engine.movies[movie]).model_dump_json()
            text = self._texts[movie] = whole[:-1]
        return text

    def _title(self, movie: int) -> str:
        """Return a reason's JSON up to its weight, which is how an item's begins."""
        title = self._titles.get(movie)
        if title is None:
            whole = m.MovieMessage.of(self._engine.movies[movie])
            text = whole.model_dump_json(include={"movie_id", "title"})
            title = self._titles[movie] = text[:-1]
        return title


def _tables(exported: Any) -> Arrays | None:
    """Return the lists of a SavedModel, a row a timeline; None if it has none.

    `scores`, `movies`, as rows of the catalogue, -1 for none, and `stars`, [timelines, length]; and
    of the first places of each list `reasons`, movies that speak for it, their weights and the
    user's own stars, [timelines, m, n]; all in the variables' own memory.
    """
    lists = getattr(exported, "ready_lists", None)
    if not all(hasattr(lists, name) for name in _TABLES):
        return None
    import tensorflow as tf

    with tf.device("CPU"):
        values = {name: tf.identity(getattr(lists, name).read_value()) for name in _TABLES}
    return {name: np.asarray(memoryview(value)) for name, value in values.items()}


_cursor = lru_cache(1_024)(cursor)


def _says_nothing_new(request: m.RecommendRequest) -> bool:
    return not (
        request.include_seen
        or request.liked
        or request.disliked
        or request.ratings
        or request.exclusions
        or request.rules is not None
        or request.min_rating is not None
        or request.order != BLEND
        or request.has_conditions
    )
