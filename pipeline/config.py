"""The configuration: frozen pydantic models; one field, one docstring, one unit.

Reads nothing from the environment and imports nothing heavy.
"""

from __future__ import annotations

import difflib
from enum import Enum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused, docstrings are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Format(str, Enum):
    """The source formats that `ratings/` has adapters for."""

    AUTO = "auto"
    MOVIELENS_100K = "movielens-100k"
    MOVIELENS_1M = "movielens-1m"
    MOVIELENS_CSV = "movielens-csv"
    NETFLIX = "netflix"
    CSV = "csv"


class DataConfig(Section):
    """Where the ratings come from and what is accepted."""

    path: str | None = None
    """Folder with the ratings files, `{SPAN}` allowed; none: the built-in synthetic sample."""
    format: Format = Format.AUTO
    """Source format; `auto` recognises it from the folder's content."""
    ratings: str | None = None
    """Glob of the ratings files inside the folder, for `csv`; none: `ratings*.csv*`."""
    movies: str | None = None
    """Glob of the films' file inside the folder, for `csv`; none: `movies*.csv*`, if there."""
    users: str | None = None
    """Glob of the users' file inside the folder, for `csv`; read only with `use_users`."""
    columns: dict[str, str] = {}
    """Canonical column to the header name in a user's own CSV, as `user_id = "customer"`."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Column delimiter of a user's own CSV."""
    use_users: bool = False
    """Opt in to user attributes (gender, age, occupation, zip code)."""
    rating_min: float | None = None
    """Lowest valid rating, in stars; none: the format's own."""
    rating_max: float | None = None
    """Highest valid rating, in stars; none: the format's own."""
    max_quarantined: Share = 0.1
    """Share of rows that may be quarantined before the run stops."""
    statistics_rows: Annotated[int, Field(ge=1_000)] = 200_000
    """Rows to compute descriptive statistics from, at most, sampled evenly; counts stay exact."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 8
    """User partitions of the ratings; a worker holds one partition in memory at a time."""
    chunk_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 64 * 2**20
    """Bytes of a ratings file that one worker parses at a time."""

    @model_validator(mode="after")
    def _range(self) -> DataConfig:
        bounds = self.rating_min, self.rating_max
        if None not in bounds and bounds[0] >= bounds[1]:  # type: ignore[operator]
            raise ValueError("rating_min must be below rating_max")
        return self


class SplitKind(str, Enum):
    """How ratings are divided into train, validation and test."""

    RANDOM = "random"
    TEMPORAL = "temporal"
    LEAVE_LAST = "leave_last"
    PREDEFINED = "predefined"


class SplitConfig(Section):
    """Train, validation and test, the same on every machine for the same seed.

    `random` and `temporal` take shares, `leave_last` counts per user, `predefined` file names or
    globs inside the data folder.
    """

    kind: SplitKind = SplitKind.RANDOM
    """`random`, `temporal` (a global cut), `leave_last` (last ratings of each) or `predefined`."""
    train: float | str | None = None
    """Share of train (what the others leave), or files (`predefined`)."""
    validation: int | float | str | None = None
    """Share (0.1), count per user (1), or files; unnamed `predefined`: a share of train."""
    test: int | float | str | None = None
    """Share (0.1), count per user (1), or files."""
    seed: int = 42
    """Seed of the `random` split and of the validation share of `predefined`."""

    @model_validator(mode="after")
    def _kinds(self) -> SplitConfig:
        if self.kind is SplitKind.PREDEFINED:
            if not (isinstance(self.train, str) and isinstance(self.test, str)):
                raise ValueError("a predefined split needs files in split.train and split.test")
            if not isinstance(self.validation, str):
                _check_share("split.validation", self.validation_share)
        elif any(isinstance(x, str) for x in (self.train, self.validation, self.test)):
            raise ValueError("file names are for split.kind = 'predefined' only")
        elif self.kind is SplitKind.LEAVE_LAST:
            if self.validation_count < 0 or self.test_count < 1:
                raise ValueError("leave_last needs split.test of at least 1 rating per user")
            if any(float(x) != int(x) for x in (self.validation or 0, self.test or 0)):
                raise ValueError("leave_last takes whole numbers of ratings per user")
        else:
            _check_share("split.validation", self.validation_share)
            _check_share("split.test", self.test_share)
            train = 1.0 - self.validation_share - self.test_share
            if self.test_share == 0 or train <= 0:
                raise ValueError("split.train and split.test must both be above 0")
            if self.train is not None and abs(float(self.train) - train) > 1e-6:
                raise ValueError("split.train, split.validation and split.test must sum to 1")
        return self

    @property
    def validation_share(self) -> float:
        """Share of validation, for `random` and `temporal`, and of train for `predefined`."""
        return 0.1 if self.validation is None else float(self.validation)

    @property
    def test_share(self) -> float:
        """Share of test, for `random` and `temporal`."""
        return 0.1 if self.test is None else float(self.test)

    @property
    def validation_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.validation is None else int(self.validation)

    @property
    def test_count(self) -> int:
        """Ratings per user, for `leave_last`."""
        return 1 if self.test is None else int(self.test)


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be a share from 0 to below 1, not {value:g}")


BASELINES: Final = ("popularity", "item_knn", "ease", "ials", "biased_mf")
"""Names of the baselines in `components.trainer.baselines`, which is too heavy to import here."""


def no_baseline(name: str) -> str:
    """What to say of a name that no baseline has."""
    close = difflib.get_close_matches(name, BASELINES, n=1)
    hint = f"the nearest is {close[0]}" if close else f"there are {', '.join(BASELINES)}"
    return f"there is no baseline {name!r}; {hint}"


def _check_baselines(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in BASELINES:
            raise ValueError(f"gate.baselines: {no_baseline(name)}")
    return names


class GateConfig(Section):
    """What a model must clear before it is pushed. Margins are absolute."""

    protocol: Literal["raw", "unseen"] = "unseen"
    """Which ranks the accuracy bounds look at: seen films kept (`raw`) or masked (`unseen`)."""
    top_100_accuracy_min: Share = 0.05
    """Top-100 accuracy, at least."""
    rmse_max: Annotated[float, Field(gt=0)] = 1.2
    """RMSE of predicted ratings, in stars, at most."""
    top_100_accuracy_margin: Share = 0.01
    """How far top-100 accuracy may fall below the champion's."""
    rmse_margin: Annotated[float, Field(ge=0)] = 0.01
    """How far RMSE may rise above the champion's, in stars."""
    baselines: Annotated[tuple[str, ...], AfterValidator(_check_baselines)] = ("popularity",)
    """Baselines whose top-100 accuracy the model must beat: popularity, item_knn, ease, ials,
    biased_mf."""
    baseline_margin: Share = 0.0
    """By how much the model's top-100 accuracy must beat every baseline's."""
    max_test_rows: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Rows of the test split to evaluate, at most, sampled by seed; the report states it."""


class BeamConfig(Section):
    """Where Beam runs."""

    preset: Literal["direct"] = "direct"
    """Engine: `direct` is this machine."""
    args: tuple[str, ...] = ()
    """Further Beam pipeline arguments, as `--direct_num_workers=1`."""


class PushConfig(Section):
    """Where a blessed model goes."""

    directory: str | None = None
    """Serving folder; none means `serving/reelflow` inside the output folder."""
    latency_ms_max: Annotated[float, Field(gt=0)] = 1_000.0
    """Median latency of one recommendation request that ServingCheck accepts, in milliseconds."""
    keep: Annotated[int, Field(ge=1)] = 10
    """Versions to keep in the serving folder; older ones are removed after a push."""


class ModelConfig(Section):
    """The two-tower retrieval model and the rating model."""

    embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Size of the query and candidate embeddings."""
    query: Literal["user_id", "history", "both"] = "both"
    """What the query tower knows a user by: an embedding of its own, its last films, or both."""
    history_length: Annotated[int, Field(ge=1, le=1000)] = 20
    """Last films that the history tower looks at, with learned position weights."""
    genres: bool = True
    """Give the candidate tower the films' genres."""
    year: bool = True
    """Give the candidate tower the release year."""
    loss: Literal["full_softmax", "in_batch_softmax"] = "full_softmax"
    """Retrieval loss: over the whole catalogue, or over the films of the batch."""
    logq: bool = True
    """Correct the in-batch softmax for how often a film is in a batch."""
    mask_seen: bool = True
    """Leave the user's other films out of the full softmax, as serving does."""
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the query embedding dropped in training."""
    retrieval_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the retrieval task in the joint loss; 0 switches it off."""
    rating_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the rating task in the joint loss; 0 switches it off."""
    rating_embedding_size: Annotated[int, Field(ge=1, le=1024)] = 64
    """Size of the rating model's factors."""
    rating_bag: Annotated[int, Field(ge=0)] = 500
    """Ratings that stand for a user's or a film's implicit feedback in the rating model, at most,
    drawn once; 0 switches implicit feedback off."""
    rating_l2: Annotated[float, Field(ge=0)] = 0.03
    """L2 on the rating model's factors."""
    rating_bias_l2: Annotated[float, Field(ge=0)] = 0.001
    """L2 on the rating model's biases."""

    @model_validator(mode="after")
    def _some_task(self) -> ModelConfig:
        if self.retrieval_weight == self.rating_weight == 0:
            raise ValueError("retrieval_weight and rating_weight must not both be 0")
        return self


class TrainConfig(Section):
    """The training loop."""

    epochs: Annotated[int, Field(ge=1)] = 20
    """Passes over the train split, at most."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    """Step size of the optimizer (Adam)."""
    batch_size: Annotated[int, Field(ge=1)] = 1024
    """Ratings per step."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a better validation loss before training stops."""
    validation_rows: Annotated[int, Field(ge=1)] = 50_000
    """Validation ratings to look at after each epoch, at most, sampled by seed."""
    seed: int = 42
    """Seed of initial weights, order of batches and dropout."""


class Config(Section):
    """Everything that decides what a run does."""

    data: DataConfig = DataConfig()
    """Where the ratings come from."""
    split: SplitConfig = SplitConfig()
    """Train, validation and test."""
    model: ModelConfig = ModelConfig()
    """The model."""
    train: TrainConfig = TrainConfig()
    """The training loop."""
    gate: GateConfig = GateConfig()
    """What a model must clear."""
    beam: BeamConfig = BeamConfig()
    """Where Beam runs."""
    push: PushConfig = PushConfig()
    """Where a blessed model goes."""
