"""Files of a SavedModel's folder, with the typed `model.json`; and `reasons.json` of its check."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from reelflow.base.columns import TASKS
from reelflow.base.nouns import Noun

SAVED_MODEL: Final = "saved_model.pb"
EXTRA: Final = "assets.extra"
"""Folder for files that TensorFlow does not read."""
CATALOGUE: Final = f"{EXTRA}/catalogue.parquet"
USERS: Final = f"{EXTRA}/users.parquet"
"""Users whose ratings the model knows, a column `user_id`."""
MODEL_JSON: Final = f"{EXTRA}/model.json"
GOLDEN: Final = f"{EXTRA}/golden.json"
WEIGHTS: Final = f"{EXTRA}/weights.npz"
"""Trained weights, for the next run to start with."""


@dataclass(frozen=True)
class Guard:
    """One check of the data, of training or of the evaluation, and its result."""

    name: str
    passed: bool
    detail: str

    def refusal(self) -> str:
        """The reason for which a model is refused, in one sentence."""
        return f"Guard {self.name}: {self.detail}"


class _Part(BaseModel):
    """A file or a part of one; keys that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ServingResult(_Part):
    """Result of the probe, then of ServingCheck: the content of `reasons.json`."""

    FILE: ClassVar[str] = "reasons.json"

    reasons: tuple[str, ...] = ()
    """Sentences against the model; empty if it may be served."""
    latency_ms: Annotated[dict[str, float], BeforeValidator(lambda value: value or {})] = {}
    """`median` and `p95` of a single-user request; empty (once: null) if it was not measured."""
    load_seconds: float | None = None
    """Without importing TensorFlow."""
    golden: int = 0
    """Golden requests that were compared."""
    recall: float | None = None
    """Share of the 100 best movies that lists have; None where they are exact."""

    @property
    def blessed(self) -> bool:
        """True if there is no reason against the model."""
        return not self.reasons

    @model_serializer(mode="wrap")
    def _content(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"blessed": self.blessed, **fields(self)}

    def write(self, folder: Path) -> None:
        """Write the file into an artifact's folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
        (folder / self.FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ServingResult:
        """Read the file of an artifact's folder.

        Raises:
            OSError: there is no such file.
            ValueError: it is not what `write` writes.
        """
        return cls.model_validate_json((folder / cls.FILE).read_bytes())


class Kept(_Part):
    """Rows of an embedding table in a warm start."""

    kept: int
    """Rows that begin with the champion's vectors."""
    new: int


class WarmStart(_Part):
    """The start of training, of a run with `train.warm_start`."""

    warm: bool
    reason: str | None = None
    """The reason for a cold start; None after a warm one."""
    cold_tasks: dict[str, str] | None = None
    """Task to the reason for which it starts cold in a run that starts warm."""
    users: Kept | None = None
    movies: Kept | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the object as `model.json` and `summary.json` have it."""
        return self.model_dump(exclude_none=True)


class CrossWeights(_Part):
    """Size of the cross layer's weights between each pair of features, of the head `dcn`."""

    features: list[str]
    norms: list[list[float]]
    """One row a feature, one column a feature."""


class StarScale(_Part):
    """The ratings that training found; no scale is assumed."""

    lowest: float
    highest: float
    mean: float
    deviation: float
    """Standard deviation; 0 where all ratings are the same."""
    like_threshold: float
    """Stars from which on a movie counts as liked."""
    liked: float
    """Mean of the ratings that count as liked: what a movie named as liked stands for."""
    disliked: float
    """Mean of the others: what a movie named as disliked stands for."""


class WeightTrial(_Part):
    """Figures of one value of a mixing weight on the validation ratings, as served."""

    weight: float
    metrics: dict[str, float]
    """`unseen/top_10`, `liked/ndcg_10`, `stars_of_hits_10` and so on."""


class ChosenWeight(_Part):
    """A weight that was chosen on the validation ratings, or set by the configuration."""

    weight: float
    trials: list[WeightTrial] = []
    """The values that were tried, in order; empty if the configuration sets it."""


class MixTrial(_Part):
    """Figures of one mixture of retrieval terms on the validation ratings, as served."""

    weights: dict[str, float]
    """Term to its weight; those that are missing have none."""
    settings: dict[str, dict[str, float]] = {}
    """Term to its settings, such as `ridge`; of closed-form terms."""
    gain: float
    """Mean of 1 / log2(1 + rank), by which mixtures are chosen."""
    metrics: dict[str, float]
    """`unseen/top_10`, `liked/ndcg_10` and so on, by retrieval alone."""


class ChosenMix(_Part):
    """The weights of the retrieval terms, chosen on the validation ratings, or set."""

    weights: dict[str, float]
    """Term to its weight; the sum is 1. Terms of weight 0 are not part of the model."""
    settings: dict[str, dict[str, float]] = {}
    """Term to its settings; of closed-form terms."""
    trials: list[MixTrial] = []
    """Mixtures that were tried, terms alone included; empty where nothing could be chosen."""


class ModelInfo(_Part):
    """Content of `model.json`; fields that an older model lacks are None."""

    users: int | None = None
    """Users in the vocabulary."""
    movies: int | None = None
    """Movies in the catalogue."""
    train_rows: int | None = None
    """Ratings that the exported weights were trained on."""
    epochs: int | None = None
    """Epochs of the longest training."""
    best_epochs: dict[str, int] | None = None
    """Loss to the epoch whose weights were kept."""
    fit_seconds: float | None = None
    """Wall time of training, the choice of the mixture included."""
    fit_cpu_seconds: float | None = None
    """Processor time of the same, of all cores."""
    parameters: int | None = None
    tasks: list[str] | None = None
    """Tasks that the model was trained on; `trained_tasks` has a default."""
    history: dict[str, list[float]] | None = None
    """Loss to its value after each epoch; validation losses begin with `val_`."""
    tuned: dict[str, Any] | None = None
    warm_start: WarmStart | None = None
    guards: list[Guard] | None = None
    """Checks of the data and of training."""
    cross_weights: CrossWeights | None = None
    stars: StarScale | None = None
    mix: ChosenMix | None = None
    """Weights of the retrieval terms: the towers, and those in closed form."""
    blend: ChosenWeight | None = None
    """Weight of the predicted like beside the retrieval score in the final order."""
    model: dict[str, Any] | None = None
    """Section `model` of the configuration, as it was used."""
    train: dict[str, Any] | None = None
    """Section `train` of the configuration, as it was used."""
    split: dict[str, Any] | None = None
    """Section `split` of the configuration, of runs with `train.warm_start`."""
    item: str | None = None
    """Word for what is rated; `noun` has a default."""
    items: str | None = None
    """Its plural."""

    @classmethod
    def read(cls, saved_model: Path) -> ModelInfo:
        """Read the file of a SavedModel; every field is None if it has none.

        Raises:
            ValueError: the file is no JSON, or a field has another type.
        """
        path = saved_model / MODEL_JSON
        if not path.is_file():
            return cls()
        return cls.model_validate_json(path.read_bytes())

    def write(self, saved_model: Path) -> None:
        """Write the file of a SavedModel, without the fields that are None."""
        path = saved_model / MODEL_JSON
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.model_dump(exclude_none=True), indent=2))

    @property
    def noun(self) -> Noun:
        """The word for an item in all its forms; `movie` if the file does not name it."""
        return Noun.of(self.item, self.items)

    @property
    def trained_tasks(self) -> Sequence[str]:
        """Tasks that the model was trained on; both if the file does not name them."""
        return TASKS if self.tasks is None else self.tasks


def version_of(folder: Path) -> int | None:
    """The version of a pushed model, which is its folder's name; None for other names."""
    name = folder.name
    return int(name) if name.isascii() and name.isdigit() else None
