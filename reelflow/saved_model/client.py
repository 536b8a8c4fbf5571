"""A pushed model in this process: TensorFlow only, neither TFX nor Beam, no training data.

TensorFlow is imported when a model is loaded, since that takes seconds.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from reelflow.base.columns import (
    EXCLUSIONS,
    GENRES,
    HISTORY,
    LIKE,
    MOVIE_ID,
    RATING,
    RATING_COUNT,
    SCORE,
    SOURCE,
    TITLE,
    USER_ID,
    YEAR,
    K,
)
from reelflow.base.environment import prepare, quiet_stderr
from reelflow.base.errors import BadInput
from reelflow.saved_model.contract import Input, SignatureDefs
from reelflow.saved_model.files import CATALOGUE, SAVED_MODEL

Source = Literal["user", "history", "popularity"]
"""What an answer comes from: the user's known tastes, the request's history, or what is popular."""

_SIGNATURES: Final = ("serving_default", "rate", "similar")


@dataclass(frozen=True)
class Item:
    """A movie in an answer."""

    movie_id: str
    title: str
    score: float


@dataclass(frozen=True)
class Recommendations:
    """Movies for a user, best first; fewer than asked for when no more are left."""

    source: Source
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Rated:
    """The rating that a user would give a movie, in stars, and whether the model knows the two."""

    rating: float
    known_user: bool
    known_movie: bool
    like: float | None = None
    """Probability that the user likes the movie, of models that have one."""


def latest_version(serving_dir: Path) -> Path:
    """The newest pushed model: the folder with the highest whole number.

    Raises:
        BadInput: there is no model.
    """
    folders = serving_dir.iterdir() if serving_dir.is_dir() else iter(())
    versions = [
        folder
        for folder in folders
        if folder.name.isascii() and folder.name.isdigit() and (folder / SAVED_MODEL).is_file()
    ]
    if not versions:
        raise BadInput(f"There is no pushed model in {serving_dir}.", "Run `reelflow run` first.")
    return max(versions, key=lambda folder: int(folder.name))


class ServedModel:
    """The signatures of one model, with movies looked up in its catalogue."""

    def __init__(
        self, path: Path, model: Any, catalogue: Catalogue, definitions: SignatureDefs
    ) -> None:
        """Take a loaded SavedModel; its signatures alone would not keep its variables alive."""
        self.path = path
        self.catalogue = catalogue
        self.definitions = definitions
        self._model = model

    @classmethod
    def load(cls, path: Path) -> ServedModel:
        """Load a model from its folder, with TensorFlow kept quiet.

        Raises:
            BadInput: the folder holds no model, or not one of ours.
        """
        remedy = "Name a model that `reelflow run` has pushed."
        if not (path / SAVED_MODEL).is_file():
            raise BadInput(f"{path} holds no {SAVED_MODEL}.", remedy)
        catalogue = Catalogue.load(path)
        prepare()
        # A server that loads a second model must not lose what others say meanwhile.
        with nullcontext() if "tensorflow" in sys.modules else quiet_stderr():
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            try:
                model = tf.saved_model.load(str(path))
            except (OSError, tf.errors.OpError) as error:
                raise BadInput(f"{path} cannot be loaded: {error}", remedy) from error
        missing = [name for name in _SIGNATURES if name not in model.signatures]
        if missing:
            raise BadInput(f"{path} lacks the signatures {', '.join(missing)}.", remedy)
        return cls(path, model, catalogue, SignatureDefs.read(path / SAVED_MODEL))

    @property
    def version(self) -> int:
        """The number that the model was pushed under; 0 if its folder has another name."""
        name = self.path.name
        return int(name) if name.isascii() and name.isdigit() else 0

    def recommend(
        self,
        user_id: str,
        *,
        k: int = 10,
        history: Sequence[str] = (),
        exclusions: Sequence[str] = (),
    ) -> Recommendations:
        """The k movies for a user that the user has not rated, best first.

        Args:
            user_id: need not be known; then `history` counts, or else what is popular.
            k: movies wanted, at least 1.
            history: ids of movies the user likes, beside those the model knows of.
            exclusions: ids of movies to leave out.

        Raises:
            BadInput: k is below 1, or a movie is unknown.
        """
        answer = self.call(
            "serving_default",
            {
                USER_ID: [user_id],
                HISTORY: [[self.catalogue.resolve(movie) for movie in history] or [""]],
                EXCLUSIONS: [[self.catalogue.resolve(movie) for movie in exclusions] or [""]],
                K: self._at_most_all(k),
            },
        )
        return Recommendations(cast(Source, answer[SOURCE][0].decode()), _items(answer))

    def rate(self, user_id: str, movie_id: str) -> Rated:
        """The rating a user would give a movie; neither need be known."""
        answer = self.call("rate", {USER_ID: [user_id], MOVIE_ID: [movie_id]})
        return Rated(
            rating=float(answer[RATING][0]),
            known_user=bool(answer["known_user"][0]),
            known_movie=bool(answer["known_movie"][0]),
            like=float(answer[LIKE][0]) if LIKE in answer else None,
        )

    def similar(self, movie_id: str, k: int = 10) -> tuple[Item, ...]:
        """The k movies most like a movie, by cosine, best first.

        Raises:
            BadInput: k is below 1, or the movie is unknown.
        """
        movie = self.catalogue.resolve(movie_id)
        return _items(self.call("similar", {MOVIE_ID: [movie], K: self._at_most_all(k)}))

    def _at_most_all(self, k: int) -> int:
        if k < 1:
            raise BadInput(f"k must be at least 1, not {k}.")
        return min(k, len(self.catalogue))

    def call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Ask one signature.

        Args:
            signature: its name.
            inputs: numpy arrays or nested lists by input name; those with a default may be missing.

        Returns:
            Numpy arrays by output name; strings are arrays of bytes.

        Raises:
            KeyError: there is no such signature, or an input without a default is missing.
        """
        import tensorflow as tf

        expected = self.definitions.inputs[signature]
        tensors = {
            name: tf.constant(inputs[name] if name in inputs else _default(one, name), one.dtype)
            for name, one in expected.items()
        }
        answer = self._model.signatures[signature](**tensors)
        return {name: tensor.numpy() for name, tensor in answer.items()}


def _default(one: Input, name: str) -> Any:
    if one.default is None:
        raise KeyError(name)
    return one.default


def _items(answer: Mapping[str, Any]) -> tuple[Item, ...]:
    """The movies of the answer's only row, without padding."""
    row = zip(answer[MOVIE_ID][0], answer[TITLE][0], answer[SCORE][0], strict=True)
    return tuple(
        Item(movie.decode(), title.decode(), float(score)) for movie, title, score in row if movie
    )


# The movies that a model knows, as exported beside it.


_NEAR = 3
_YEAR = re.compile(r"\s*\(\d{4}\)$")


@dataclass(frozen=True)
class Movie:
    """One movie, for showing."""

    movie_id: str
    title: str
    genres: tuple[str, ...] = ()
    year: int | None = None
    rating_count: int = 0


@dataclass(frozen=True)
class Catalogue:
    """Movies by id."""

    movies: Mapping[str, Movie]

    @classmethod
    def load(cls, model: Path) -> Catalogue:
        """Read the catalogue of an exported model.

        Raises:
            BadInput: the model has none.
        """
        import pyarrow.parquet as pq

        file = model / CATALOGUE
        if not file.is_file():
            raise BadInput(
                f"{model} has no {CATALOGUE}.", "Name a model that `reelflow run` has pushed."
            )
        names = [MOVIE_ID, TITLE, GENRES, YEAR, RATING_COUNT]
        columns = pq.read_table(file, columns=names).to_pydict()
        movies = (
            Movie(id_, title or "", tuple(genres or ()), year, count or 0)
            for id_, title, genres, year, count in zip(*(columns[n] for n in names), strict=True)
        )
        return cls({movie.movie_id: movie for movie in movies})

    def __len__(self) -> int:
        return len(self.movies)

    def resolve(self, movie_id: str, option: str = "") -> str:
        """Make sure that a movie exists.

        Args:
            movie_id: what someone gave as an id.
            option: the option it was given with, so that the remedy can be typed; may be empty.

        Returns:
            The id.

        Raises:
            BadInput: it is a title, and which id it has; or it is neither, and what comes near.
        """
        if movie_id in self.movies:
            return movie_id
        titled = self.titled(movie_id)
        if titled:
            use = " or ".join(_as_typed(movie, option) for movie in titled)
            raise BadInput(f"{movie_id!r} is a title, where a movie's id is wanted; use {use}.")
        near = self.near(movie_id)
        listed = "; ".join(f"{movie.title} is {_as_typed(movie, option)}" for movie in near)
        raise BadInput(
            f"There is no movie with the id {movie_id!r}.",
            f"Near it: {listed}." if near else "Ids are those of the ratings files (movie_id).",
        )

    def titled(self, title: str) -> list[Movie]:
        """Every movie of that title, case and a year in brackets aside; there may be several."""
        exact = [movie for movie in self.movies.values() if _same(movie.title) == _same(title)]
        if exact:
            return exact
        wanted = _yearless(title)
        return [
            movie for movie in self.movies.values() if wanted and _yearless(movie.title) == wanted
        ]

    def near(self, title: str) -> list[Movie]:
        """Up to three movies whose titles contain the text or look like it."""
        wanted = _yearless(title)
        if not re.search(r"[^\W\d_]", wanted):
            return []  # a number is a wrong id, no title gone wrong
        by_title: dict[str, Movie] = {}
        for movie in self.movies.values():
            by_title.setdefault(_yearless(movie.title), movie)
        containing = sorted((name for name in by_title if wanted in name), key=len)
        alike = difflib.get_close_matches(wanted, by_title, n=_NEAR, cutoff=0.6)
        return [by_title[name] for name in _unique([*containing, *alike])[:_NEAR]]


def _as_typed(movie: Movie, option: str) -> str:
    return f"{option} {movie.movie_id}" if option else f"the id {movie.movie_id}"


def _same(title: str) -> str:
    return " ".join(title.casefold().split())


def _yearless(title: str) -> str:
    return _YEAR.sub("", _same(title))


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
