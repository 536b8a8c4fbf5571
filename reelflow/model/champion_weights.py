"""A model's weights in a file beside its SavedModel, with vocabularies and training record."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.config import SplitConfig, SplitKind
from reelflow.encoding.encoded import EncodedData, Int64
from reelflow.model import weights as w
from reelflow.model.rating.days import BINS, Calendar
from reelflow.model.tasks import JointModel
from reelflow.saved_model.files import WEIGHTS

Array = npt.NDArray[Any]

UNKNOWN = ""
"""Stands for the unknown user or movie in a vocabulary."""

# Arrays of the file apart from the weights, which are `task/name`.
_WORDS = "words"
_RECORD = "knowledge"
_RATED = "rated"
_CALENDAR = "calendar"


@dataclass(frozen=True)
class TrainingRecord:
    """The ratings that weights have been trained on, those of the models before them included."""

    split: dict[str, Any]
    """Settings that decide the split of a rating: kind, seed and shares."""
    trained_until: int
    """Time of the newest rating in training, in seconds."""
    chosen_until: int
    """Time of the newest rating in training and validation, which chose the epoch, in seconds."""

    @classmethod
    def of(cls, split: SplitConfig, data: EncodedData) -> TrainingRecord:
        """Describe a model that starts with random weights."""
        trained = int(data.train.timestamp.max(initial=0))
        chosen = max(trained, int(data.validation.timestamp.max(initial=0)))
        return cls(split_settings(split, data), trained, chosen)

    def on_top_of(self, champion: TrainingRecord) -> TrainingRecord:
        """Describe the same model if it starts with the champion's weights."""
        return replace(
            self,
            trained_until=max(self.trained_until, champion.trained_until),
            chosen_until=max(self.chosen_until, champion.chosen_until),
        )


def comparable_kind(split: SplitConfig, data: EncodedData) -> SplitKind:
    """Return the split by whose rule leakage is found out.

    Whatever `auto` has come to, times tell what is later than what; without times it is `random`.
    """
    if split.kind is not SplitKind.AUTO:
        return split.kind
    return SplitKind.TEMPORAL if data.sizes.has_timestamps else SplitKind.RANDOM


def split_settings(split: SplitConfig, data: EncodedData) -> dict[str, Any]:
    """Return the settings that decide to which split a rating of `data` belongs."""
    kind = comparable_kind(split, data)
    settings: dict[str, Any] = {"kind": kind.value}
    if kind is SplitKind.RANDOM:
        settings |= {
            "seed": split.seed,
            "validation": split.validation_share,
            "test": split.test_share,
        }
    return settings


@dataclass(frozen=True)
class Vocabularies:
    """The meaning of the rows of a model's tables."""

    words: dict[str, list[str]]
    """Vocabulary, such as `weights.USERS`, to its words in the order of the rows."""
    rated: npt.NDArray[np.bool_]
    """True for movies with train ratings, bool [movies]; the rows of others are untrained."""
    calendar: Calendar | None
    """Days that the rating model has biases of; None without timestamps."""

    @classmethod
    def of(cls, data: EncodedData, users: Sequence[str]) -> Vocabularies:
        """Collect the vocabularies of a model that is trained on `data`.

        Args:
            data: encoded ratings.
            users: the user vocabulary, in order.
        """
        catalogue = data.catalogue
        genres = [UNKNOWN] * data.sizes.genres
        names = (genre for of_movie in catalogue.genres for genre in of_movie)
        for name, index in zip(names, catalogue.genre_indices, strict=True):
            genres[index] = name
        years = sorted({year for year in catalogue.year if year is not None})
        features = data.movie_features
        return cls(
            words={
                w.USERS: list(users),
                w.MOVIES: list(catalogue.movie_id),
                w.GENRES: genres,
                w.YEARS: [str(year) for year in years],
                w.WORDS: [] if features is None else list(features.words),
            },
            rated=data.rating_counts > 0,
            calendar=Calendar.of(data.train) if data.sizes.has_timestamps else None,
        )

    def earlier_rows(self, name: str, rows: int, earlier: Vocabularies, earlier_rows: int) -> Int64:
        """Match the rows of a table with those of an earlier model's table.

        Args:
            name: vocabulary of the rows.
            rows: of the table; one more than there are words if the last row is the unknown one's.
            earlier: the earlier model's vocabularies.
            earlier_rows: rows of the earlier table.

        Returns:
            For each row the row of the earlier table, or -1 for a new one, int64 [rows].
        """
        if name == w.USER_DAYS:
            return self._earlier_user_days(earlier)
        if name == w.MOVIE_BINS:
            return self._earlier_movie_bins(earlier)
        words = [*self.words[name], UNKNOWN][:rows]
        rows_by_word = {
            word: row for row, word in enumerate([*earlier.words[name], UNKNOWN][:earlier_rows])
        }
        matches = np.array([rows_by_word.get(word, -1) for word in words], np.int64)
        if name == w.MOVIES:
            trained = np.append(earlier.rated, True)
            matches = np.where(trained[matches] | (matches < 0), matches, -1)
        return matches

    def _earlier_user_days(self, earlier: Vocabularies) -> Int64:
        now, before = self._calendars(earlier)
        users = len(self.words[w.USERS]), len(earlier.words[w.USERS])
        matches = self.earlier_rows(w.USERS, users[0], earlier, users[1])
        owners, days = np.divmod(now.keys, now.span)
        # Both calendars count days from their first rating: match by the middle of the day.
        middles = now.first + days * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
        earlier_days = (middles - before.first) // SECONDS_PER_DAY
        keys = matches[owners] * before.span + earlier_days
        at = np.minimum(np.searchsorted(before.keys, keys), len(before.keys) - 1)
        known = (matches[owners] >= 0) & (earlier_days >= 0) & (earlier_days < before.span)
        rows = np.where(known & (before.keys[at] == keys), at, -1)
        return np.append(rows, -1).astype(np.int64)

    def _earlier_movie_bins(self, earlier: Vocabularies) -> Int64:
        now, before = self._calendars(earlier)
        movies = self.earlier_rows(w.MOVIES, len(self.rated) + 1, earlier, len(earlier.rated) + 1)
        middles = now.first / SECONDS_PER_DAY + (np.arange(BINS) + 0.5) * now.span / BINS
        earlier_days = middles - before.first / SECONDS_PER_DAY
        bins = np.clip(np.floor(earlier_days * BINS / before.span), 0, BINS - 1).astype(np.int64)
        rows = np.where(movies[:, None] >= 0, movies[:, None] * BINS + bins, -1)
        return rows.ravel()

    def _calendars(self, earlier: Vocabularies) -> tuple[Calendar, Calendar]:
        if self.calendar is None or earlier.calendar is None:
            raise ValueError("day effects need timestamps")
        return self.calendar, earlier.calendar


@dataclass(frozen=True)
class ChampionWeights:
    """The weights of a trained model, with all that a later model needs to start with them."""

    vocabularies: Vocabularies
    record: TrainingRecord
    weights: Mapping[str, Mapping[str, Array]]
    """Task to name to value; the rating models of further seeds are tasks of their own."""

    @classmethod
    def of(
        cls, joint: JointModel, vocabularies: Vocabularies, record: TrainingRecord
    ) -> ChampionWeights:
        """Copy a trained model's weights."""
        by_task = joint.named_weights() | {
            further_task(number): model.named_weights()
            for number, model in enumerate(joint.further_rating_models, start=1)
        }
        weights = {
            task: {name: weight.variable.numpy() for name, weight in named.items()}
            for task, named in by_task.items()
        }
        return cls(vocabularies, record, weights)

    def save(self, saved_model: Path) -> None:
        """Write the file into an exported model's folder; equal weights give equal bytes."""
        calendar = self.vocabularies.calendar
        times = None if calendar is None else {"first": calendar.first, "span": calendar.span}
        arrays = {
            _WORDS: _encode({"words": self.vocabularies.words, "times": times}),
            _RECORD: _encode(asdict(self.record)),
            _RATED: self.vocabularies.rated,
            _CALENDAR: np.zeros(0, np.int64) if calendar is None else calendar.keys,
        }
        for task, named in self.weights.items():
            arrays |= {f"{task}/{name}": value for name, value in named.items()}
        path = saved_model / WEIGHTS
        path.parent.mkdir(parents=True, exist_ok=True)
        # As numpy.savez does, but without the time of day.
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)

    @classmethod
    def load(cls, saved_model: Path) -> ChampionWeights | None:
        """Read what `save` wrote; None if the model was exported without its weights."""
        path = saved_model / WEIGHTS
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        words = json.loads(arrays.pop(_WORDS).tobytes())
        record = TrainingRecord(**json.loads(arrays.pop(_RECORD).tobytes()))
        rated, keys, times = arrays.pop(_RATED), arrays.pop(_CALENDAR), words["times"]
        calendar = None if times is None else Calendar(**times, keys=keys)
        weights: dict[str, dict[str, Array]] = {}
        for key, value in arrays.items():
            task, _, name = key.partition("/")
            weights.setdefault(task, {})[name] = value
        return cls(Vocabularies(words["words"], rated, calendar), record, weights)


def users_of(saved_model: Path) -> list[str] | None:
    """Return the users that a model was trained on; None if it was exported without its weights.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    path = saved_model / WEIGHTS
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            users: list[str] = json.loads(file[_WORDS].tobytes())["words"][w.USERS]
    except (KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return users


def further_task(number: int) -> str:
    """Return the name of the rating model of a further seed, counted from 1."""
    return f"rating-{number}"


def _encode(value: object) -> Array:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
