"""A model's trained weights beside its SavedModel, for the run after it to begin with."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.trainer.export import EXTRA
from components.trainer.rating.days import Calendar
from components.trainer.tasks import JointModel
from components.trainer.warm.leaks import Knowledge
from components.trainer.warm.rows import Rows

FILE = "weights.npz"
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
        """Writes the file into an exported model's folder.

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
        path = saved_model / EXTRA / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        # As numpy.savez does, but for the time of day: the same model is the same bytes.
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)

    @classmethod
    def load(cls, saved_model: Path) -> Champion | None:
        """What `save` wrote; none if the model was exported without its weights."""
        path = saved_model / EXTRA / FILE
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
