"""Client of a SavedModel: the only code that calls the signatures of an exported model.

It needs TensorFlow, and imports that when a model is loaded, since it takes seconds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from reelflow.base.columns import (
    EXCLUSIONS,
    HISTORY,
    LIKE,
    MIN_RATING,
    MOVIE_ID,
    ORDER,
    RATING,
    SCORE,
    SOURCE,
    STARS,
    TITLE,
    USER_ID,
    K,
)
from reelflow.base.environment import prepare, quiet_stderr
from reelflow.base.errors import BadInput
from reelflow.saved_model.catalogue import Catalogue
from reelflow.saved_model.contract import (
    BLEND,
    BY_STARS,
    KNOWN_MOVIE,
    KNOWN_USER,
    RATE,
    RECOMMEND,
    SIGNATURES,
    SIMILAR,
    Definitions,
    Order,
    Source,
    missing_parts,
)
from reelflow.saved_model.files import SAVED_MODEL, ModelInfo, StarScale, version_of
from reelflow.saved_model.lean_calls import LeanCalls
from reelflow.saved_model.manifest import find_damage

Arrays = dict[str, npt.NDArray[Any]]
"""Numpy arrays by name; strings are `object` arrays of bytes."""
Values = Mapping[str, Any]
"""Nested lists by name; strings are text, whose bytes in the tensor are UTF-8."""


class Signatures:
    """The signatures of a model, exported or not yet, asked with arrays."""

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Mapping[str, Any]]],
        definitions: Definitions | None = None,
        model: Any = None,
    ) -> None:
        """Take functions of tensors by name of their signature.

        Args:
            functions: called with an eager tensor for each input, by name.
            definitions: dtypes and defaults of their inputs; None for those of the contract.
            model: the loaded SavedModel, whose variables live as long as it is referenced.
        """
        self.definitions = definitions or Definitions(SIGNATURES, {})
        self.functions = functions
        self._calls: dict[str, LeanCalls] = {}
        self.exported = model
        """The loaded SavedModel, whose variables the server reads; None if there is none."""

    @classmethod
    def load(cls, saved_model: Path) -> Signatures:
        """Load a SavedModel from its folder.

        Raises:
            OSError, ValueError, tf.errors.OpError: it cannot be loaded.
        """
        import tensorflow as tf

        model = tf.saved_model.load(str(saved_model))
        return cls(model.signatures, Definitions.read(saved_model), model)

    @classmethod
    def kept(cls, saved_model: Path) -> Signatures:
        """Load a SavedModel as `load`, once for steps of a run that ask one after the other."""
        return _loaded(saved_model, (saved_model / SAVED_MODEL).stat().st_mtime_ns)

    def __contains__(self, name: str) -> bool:
        """Return True if the model has the signature."""
        return name in self.functions

    @property
    def movie_directions(self) -> npt.NDArray[np.float32] | None:
        """Unit vectors of all movies, float32 [movies, size]; None if the model has none."""
        variable = getattr(self.exported, "directions", None)
        return None if variable is None else variable.numpy()

    def call(self, name: str, inputs: Mapping[str, Any]) -> Arrays:
        """Ask one signature.

        Args:
            name: of the signature.
            inputs: arrays, tensors or nested lists by input name; an input with a default may be
                left out, or None. A tensor must have the input's dtype, all else is converted.

        Raises:
            KeyError: there is no such signature, or an input without a default is missing.
            ValueError, tf.errors.InvalidArgumentError: the model refuses the inputs.
        """
        import tensorflow as tf

        signature = self.definitions.signatures[name]
        given = {}
        for key, expected in signature.inputs.items():
            if inputs.get(key) is not None:
                given[key] = tf.convert_to_tensor(inputs[key], expected.dtype)
            elif expected.default is None:
                raise KeyError(key)
        if name not in self._calls:
            self._calls[name] = LeanCalls(self.functions[name], signature)
        return {key: tensor.numpy() for key, tensor in self._calls[name](given).items()}

    def ask(self, name: str, inputs: Values) -> dict[str, Any]:
        """Ask one signature with nested lists and return nested lists; otherwise as `call`."""
        return {key: to_lists(array) for key, array in self.call(name, inputs).items()}


@lru_cache(maxsize=1)
def _loaded(saved_model: Path, written: int) -> Signatures:
    return Signatures.load(saved_model)


def to_lists(array: npt.NDArray[Any], errors: str = "strict") -> Any:
    """Return an array as nested lists, bytes as text; `errors` is that of `bytes.decode`."""
    if array.dtype == object:
        flat = [text.decode("utf-8", errors) for text in array.ravel()]
        array = np.array([*flat, None], dtype=object)[:-1].reshape(array.shape)
    return array.tolist()


@dataclass(frozen=True)
class Item:
    """A recommended movie."""

    movie_id: str
    title: str
    score: float
    rating: float | None
    """Predicted stars on the data's own scale; None of a model without ratings."""


@dataclass(frozen=True)
class SimilarItem:
    """A movie like another one."""

    movie_id: str
    title: str
    score: float
    """Cosine of the two movies' embeddings."""


@dataclass(frozen=True)
class Recommendations:
    """Movies for a user, best first; fewer than requested when no more are left."""

    source: Source
    items: tuple[Item, ...]


@dataclass(frozen=True)
class RatingPrediction:
    """The predicted rating of a movie by a user, in stars on the data's own scale."""

    rating: float | None
    """None of a model without ratings."""
    known_user: bool
    known_movie: bool
    like: float | None = None
    """Probability that the user likes the movie, of models that have one."""


def named_history(
    scale: StarScale | None,
    liked: Sequence[str] = (),
    disliked: Sequence[str] = (),
    ratings: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the stars of the movies that a request names, by id, the newest last.

    Movies with stars count as older than those named as disliked, and these as older than those
    named as liked; where one is named twice, the newer place counts.

    Args:
        scale: says which stars `liked` and `disliked` stand for; None for not-known stars (NaN).
        liked: ids, the newest last.
        disliked: the same.
        ratings: stars by id, the newest last.
    """
    history: dict[str, float] = {}
    stars = (scale.disliked, scale.liked) if scale else (math.nan, math.nan)
    named = [(disliked, stars[0]), (liked, stars[1])]
    for movie, rating in [
        *(ratings or {}).items(),
        *((movie, rating) for movies, rating in named for movie in movies),
    ]:
        history.pop(movie, None)
        history[movie] = rating
    return history


class ServedModel:
    """One pushed model with its catalogue, asked for one user or movie at a time."""

    def __init__(self, path: Path, signatures: Signatures, catalogue: Catalogue) -> None:
        """Take a model that `load` has checked."""
        self.path = path
        self.signatures = signatures
        self.catalogue = catalogue
        self.info = ModelInfo.read(path)
        stars = self.info.stars
        self.stars = stars if stars and stars.lowest < stars.highest else None
        """Scale of the ratings; None if the data had none, or the same for every movie."""

    @classmethod
    def load(cls, path: Path) -> ServedModel:
        """Load a model from its folder, with TensorFlow's messages held back.

        Raises:
            BadInput: the folder holds no model, a damaged one, or one without the contract's
                signatures.
        """
        remedy = "Name a model that `reelflow run` has pushed."
        if (damage := find_damage(path)) is not None:
            raise BadInput(damage, remedy)
        catalogue = Catalogue.load(path)
        prepare()
        # A server that loads a second model must not lose messages of other threads.
        with nullcontext() if "tensorflow" in sys.modules else quiet_stderr():
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            try:
                signatures = Signatures.load(path)
            except Exception as error:  # TensorFlow raises many kinds on damaged files
                first = (str(error).splitlines() or [""])[0]
                words = f"{path} cannot be loaded: {type(error).__name__}: {first}"
                raise BadInput(words, remedy) from error
        if missing := missing_parts(signatures.definitions.signatures):
            raise BadInput(
                f"{path} is no model of this version of Reelflow: {missing[0]}.",
                "Name one that its `reelflow run` has pushed, or run again.",
            )
        return cls(path, signatures, catalogue)

    @property
    def version(self) -> int:
        """The number that the model was pushed under; 0 if its folder has another name."""
        return version_of(self.path) or 0

    def recommend(
        self,
        user_id: str,
        *,
        k: int = 10,
        liked: Sequence[str] = (),
        disliked: Sequence[str] = (),
        exclusions: Sequence[str] = (),
        order: Order = BLEND,
        min_rating: float | None = None,
    ) -> Recommendations:
        """Return the k best movies that a user has not rated, best first.

        Args:
            user_id: may be unknown; then the movies named count, or else popularity.
            k: number of movies, at least 1.
            liked: ids of movies that the user likes, beside those the model knows of, the newest
                last.
            disliked: the same of movies that the user does not like.
            exclusions: ids of movies to leave out.
            order: final order of the movies that retrieval finds.
            min_rating: least predicted stars of a movie; None for any.

        Raises:
            BadInput: k is below 1, a movie is unknown or both liked and disliked, or the model has
                no ratings or another scale of them than `order` and `min_rating` need.
        """
        asked = self.conditions(liked, disliked, exclusions, order, min_rating)
        answer = self.signatures.call(
            RECOMMEND, {USER_ID: [user_id], K: self._at_most_all(k), **asked}
        )
        items = (
            Item(movie, title, score, float(rating) if self.stars else None)
            for (movie, title, score), rating in zip(_row(answer), answer[RATING][0], strict=False)
        )
        return Recommendations(cast(Source, answer[SOURCE][0].decode()), tuple(items))

    def conditions(
        self,
        liked: Sequence[str],
        disliked: Sequence[str],
        exclusions: Sequence[str],
        order: Order,
        min_rating: float | None,
    ) -> dict[str, object]:
        """Return what RECOMMEND is given beside users and k; the arguments are `recommend`'s.

        Raises:
            BadInput: as `recommend` does.
        """
        liked, disliked = self._known(liked), self._known(disliked)
        if both := sorted({*liked} & {*disliked}):
            raise BadInput(f"The {self.info.noun.one} {both[0]!r} is both liked and disliked.")
        self.check_stars(order, min_rating)
        history = named_history(self.stars, liked, disliked) or {"": math.nan}
        return {
            HISTORY: [[*history]],
            STARS: [[*history.values()]],
            EXCLUSIONS: [self._known(exclusions) or [""]],
            ORDER: order,
            MIN_RATING: -math.inf if min_rating is None else min_rating,
        }

    def check_stars(self, order: Order, min_rating: float | None) -> None:
        """Check conditions of a request that need predicted stars.

        Raises:
            BadInput: the model has no ratings, or `min_rating` is outside their scale.
        """
        if order == BY_STARS and not self.stars:
            raise BadInput("order: this model was trained without ratings and predicts no stars.")
        if min_rating is not None:
            self.check_rating("min_rating", min_rating)

    def check_rating(self, name: str, rating: float) -> None:
        """Check stars in a request, which `name` stands for in the message.

        Raises:
            BadInput: the model has no ratings, or the stars are outside their scale.
        """
        if not self.stars:
            raise BadInput(f"{name}: this model was trained without ratings and knows no stars.")
        lowest, highest = self.stars.lowest, self.stars.highest
        if not lowest <= rating <= highest:
            raise BadInput(
                f"{name}: {rating:g} is not on the scale of the ratings, "
                f"which is {lowest:g} to {highest:g}."
            )

    def rate(self, user_id: str, movie_id: str) -> RatingPrediction:
        """Predict the rating of a movie by a user; either may be unknown."""
        answer = self.signatures.call(RATE, {USER_ID: [user_id], MOVIE_ID: [movie_id]})
        return RatingPrediction(
            rating=answer[RATING].item() if self.stars else None,
            known_user=answer[KNOWN_USER].item(),
            known_movie=answer[KNOWN_MOVIE].item(),
            like=answer[LIKE].item() if LIKE in answer else None,
        )

    def similar(self, movie_id: str, k: int = 10) -> tuple[SimilarItem, ...]:
        """Return the k nearest movies by the cosine of their embeddings, nearest first.

        Raises:
            BadInput: k is below 1, or the movie is unknown.
        """
        inputs = {MOVIE_ID: self._known([movie_id]), K: self._at_most_all(k)}
        answer = self.signatures.call(SIMILAR, inputs)
        return tuple(SimilarItem(*row) for row in _row(answer))

    def _known(self, movie_ids: Sequence[str]) -> list[str]:
        return [self.catalogue.find(movie_id).movie_id for movie_id in movie_ids]

    def _at_most_all(self, k: int) -> int:
        if k < 1:
            raise BadInput(f"k must be at least 1, not {k}.")
        return min(k, len(self.catalogue))


def _row(answer: Arrays) -> Iterator[tuple[str, str, float]]:
    """Yield id, title and score of the movies of the answer's only row, without padding."""
    row = zip(answer[MOVIE_ID][0], answer[TITLE][0], answer[SCORE][0], strict=True)
    for movie, title, score in row:
        if movie:  # padding comes last
            yield movie.decode(), title.decode(), float(score)
