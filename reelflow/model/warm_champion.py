"""Whether a champion has been trained on ratings that this run validates or tests with.

A model that begins with such weights has seen the answers: its metrics would be too good, and so
would be its chances at the gate.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reelflow.base.common import SECONDS_PER_DAY
from reelflow.config import SplitConfig, SplitKind
from reelflow.encoding.encoded import EncodedData
from reelflow.model import weights as w
from reelflow.model.rating.days import BINS, Calendar
from reelflow.model.tasks import JointModel
from reelflow.model.towers import rated_movies
from reelflow.saved_model.files import WEIGHTS

_SEEN = "whether the champion was trained on ratings that are held out now"


@dataclass(frozen=True)
class Knowledge:
    """Which ratings some weights have been trained on, their own beginnings included."""

    split: dict[str, Any]
    """What decides the split of a rating: kind, seed and shares."""
    trained_until: int
    """Time of the newest rating that was trained on, in seconds."""
    chosen_until: int
    """Time of the newest rating that the best epoch was chosen by."""

    @classmethod
    def of(cls, split: SplitConfig, data: EncodedData) -> Knowledge:
        """Of a model that begins with nothing."""
        trained = int(data.train.timestamp.max(initial=0))
        chosen = max(trained, int(data.validation.timestamp.max(initial=0)))
        return cls(_deciding(split), trained, chosen)

    def on_top_of(self, champion: Knowledge) -> Knowledge:
        """Of a model that begins with a champion's weights."""
        return replace(
            self,
            trained_until=max(self.trained_until, champion.trained_until),
            chosen_until=max(self.chosen_until, champion.chosen_until),
        )


def leak(champion: Knowledge, split: SplitConfig, data: EncodedData) -> str | None:
    """Why a champion may not be begun with, in words; none if its weights know no answer.

    `random`: the split of a rating follows from seed, shares, user and movie alone, so that a
    rating that is held out now was held out from every earlier run with the same seed and shares.
    `temporal`: all that is held out now has to be later than all that the champion was trained on,
    and the test ratings later than those by which its best epoch was chosen.
    `leave_last` and `predefined`: a rating's split depends on which others there are, or on files;
    there is no telling.

    Args:
        champion: what its weights know.
        split: of this run.
        data: of this run.
    """
    now = _deciding(split)
    if split.kind not in (SplitKind.RANDOM, SplitKind.TEMPORAL):
        return f"split.kind = {split.kind.value!r} does not tell {_SEEN}"
    if champion.split != now:
        was = ", ".join(f"{key} {value!r}" for key, value in champion.split.items())
        return f"the champion's split was another ({was}), which does not tell {_SEEN}"
    if split.kind is SplitKind.RANDOM:
        return None
    held_out = [part for part in (data.validation, data.test) if len(part)]
    first = min(int(part.timestamp.min()) for part in held_out)
    if first <= champion.trained_until:
        return (
            f"the champion was trained on ratings up to {_day(champion.trained_until)}, and those "
            f"since {_day(first)} are held out now"
        )
    if len(data.test) and int(data.test.timestamp.min()) <= champion.chosen_until:
        return (
            f"the champion's best epoch was chosen by ratings up to {_day(champion.chosen_until)}, "
            f"and test begins at {_day(int(data.test.timestamp.min()))}"
        )
    return None


def _deciding(split: SplitConfig) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": split.kind.value}
    if split.kind is SplitKind.RANDOM:
        found |= {
            "seed": split.seed,
            "validation": split.validation_share,
            "test": split.test_share,
        }
    return found


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, timezone.utc).isoformat(sep=" ", timespec="minutes")


# What the rows of a model's tables are of, and where each one was in an earlier model's.


Places = npt.NDArray[np.int64]
"""For each row the row of the earlier table, or -1 for one that is new."""

STRANGER = ""
"""In the place of a word: the row for whom or what the model does not know."""


@dataclass(frozen=True)
class Rows:
    """The vocabularies of a model, in order."""

    words: dict[str, list[str]]
    """By `weights.USERS` and so on."""
    rated: npt.NDArray[np.bool_]
    """Which movies have train ratings, bool [movies]: nothing was learned of the others."""
    calendar: Calendar | None
    """The days that the rating model knows; none without timestamps."""

    @classmethod
    def of(cls, data: EncodedData, users: Sequence[str]) -> Rows:
        """Of a model that is trained on these data.

        Args:
            data: encoded ratings.
            users: the user vocabulary, in order.
        """
        catalogue = data.catalogue
        genres = [STRANGER] * data.sizes.genres
        named = (word for of_movie in catalogue.genres for word in of_movie)
        for word, index in zip(named, catalogue.genre_indices, strict=True):
            genres[index] = word
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
            rated=rated_movies(data) > 0,
            calendar=Calendar.of(data.train) if data.sizes.has_timestamps else None,
        )

    def places(self, kind: str, rows: int, old: Rows, old_rows: int) -> Places:
        """Where each row of a table was.

        Args:
            kind: what the rows are of.
            rows: of the table; one more than there are words if the last one is the stranger's.
            old: the earlier model's vocabularies.
            old_rows: rows of the earlier table.
        """
        if kind == w.USER_DAYS:
            return self._user_days(old)
        if kind == w.MOVIE_BINS:
            return self._movie_bins(old)
        words, before = (
            [*known, STRANGER][:count]
            for known, count in ((self.words[kind], rows), (old.words[kind], old_rows))
        )
        at = {word: place for place, word in enumerate(before)}
        places = np.array([at.get(word, -1) for word in words], np.int64)
        if kind == w.MOVIES:
            learned = np.append(old.rated, True)
            places = np.where(learned[places] | (places < 0), places, -1)
        return places

    def _user_days(self, old: Rows) -> Places:
        now, before = self.calendar, old.calendar
        if now is None or before is None:
            raise ValueError("day effects need timestamps")
        users = self.places(w.USERS, len(self.words[w.USERS]), old, len(old.words[w.USERS]))
        owners, days = np.divmod(now.keys, now.span)
        # Days are counted from the first rating: the middle of one lies in one of the others.
        middles = now.first + days * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
        old_days = (middles - before.first) // SECONDS_PER_DAY
        wanted = users[owners] * before.span + old_days
        found = np.minimum(np.searchsorted(before.keys, wanted), len(before.keys) - 1)
        known = (users[owners] >= 0) & (old_days >= 0) & (old_days < before.span)
        places = np.where(known & (before.keys[found] == wanted), found, -1)
        return np.append(places, -1).astype(np.int64)

    def _movie_bins(self, old: Rows) -> Places:
        now, before = self.calendar, old.calendar
        if now is None or before is None:
            raise ValueError("day effects need timestamps")
        movies = self.places(w.MOVIES, len(self.rated) + 1, old, len(old.rated) + 1)
        middles = now.first / SECONDS_PER_DAY + (np.arange(BINS) + 0.5) * now.span / BINS
        old_days = middles - before.first / SECONDS_PER_DAY
        bins = np.clip(np.floor(old_days * BINS / before.span), 0, BINS - 1).astype(np.int64)
        places = np.where(movies[:, None] >= 0, movies[:, None] * BINS + bins, -1)
        return places.ravel()


# A model's trained weights beside its SavedModel, for the run after it to begin with.


_WORDS = "words"
_KNOWLEDGE = "knowledge"
_RATED = "rated"
_KEYS = "calendar"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Champion:
    """The weights of an earlier model."""

    rows: Rows
    knowledge: Knowledge
    """Which ratings they have been trained on."""
    weights: Mapping[str, Mapping[str, Array]]
    """Task to name to value; the rating models of further seeds are tasks of their own."""

    def save(self, saved_model: Path) -> None:
        """Write the file into an exported model's folder.

        The weights lie with the SavedModel, so that they go wherever it goes: to the registry, to
        the serving folder and back.
        """
        calendar = self.rows.calendar
        times = None if calendar is None else {"first": calendar.first, "span": calendar.span}
        arrays = {
            _WORDS: _text({"words": self.rows.words, "times": times}),
            _KNOWLEDGE: _text(asdict(self.knowledge)),
            _RATED: self.rows.rated,
            _KEYS: np.zeros(0, np.int64) if calendar is None else calendar.keys,
        }
        for task, named in self.weights.items():
            arrays |= {f"{task}/{name}": value for name, value in named.items()}
        path = saved_model / WEIGHTS
        path.parent.mkdir(parents=True, exist_ok=True)
        # As numpy.savez does, but for the time of day: the same model is the same bytes.
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)

    @classmethod
    def load(cls, saved_model: Path) -> Champion | None:
        """What `save` wrote; none if the model was exported without its weights."""
        path = saved_model / WEIGHTS
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(arrays.pop(_WORDS).tobytes())
        knowledge = Knowledge(**json.loads(arrays.pop(_KNOWLEDGE).tobytes()))
        rated, keys = arrays.pop(_RATED), arrays.pop(_KEYS)
        times = about["times"]
        rows = Rows(about["words"], rated, None if times is None else Calendar(**times, keys=keys))
        weights: dict[str, dict[str, Array]] = {}
        for key, value in arrays.items():
            task, _, name = key.partition("/")
            weights.setdefault(task, {})[name] = value
        return cls(rows, knowledge, weights)

    @classmethod
    def of(cls, joint: JointModel, rows: Rows, knowledge: Knowledge) -> Champion:
        """A trained model's weights."""
        weights = {
            task: {name: weight.variable.numpy() for name, weight in named.items()}
            for task, named in joint.named_weights().items()
        }
        for number, model in enumerate(joint.further_rating_models, start=1):
            weights[further(number)] = {
                name: weight.variable.numpy() for name, weight in model.named_weights().items()
            }
        return cls(rows, knowledge, weights)


def further(number: int) -> str:
    """The name of the rating model of a further seed, from 1."""
    return f"rating-{number}"


def _text(value: object) -> Array:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
