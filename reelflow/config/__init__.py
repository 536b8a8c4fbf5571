"""The configuration: frozen pydantic models; one field, one docstring, one unit.

Reads nothing from the environment and imports nothing heavy.
"""

from __future__ import annotations

from pydantic import ValidationError, model_validator

from reelflow.config.data import (
    DataConfig as DataConfig,
)
from reelflow.config.data import (
    DataGateConfig as DataGateConfig,
)
from reelflow.config.data import (
    Feedback as Feedback,
)
from reelflow.config.data import (
    Format as Format,
)
from reelflow.config.data import (
    Ids as Ids,
)
from reelflow.config.data import (
    Repeated as Repeated,
)
from reelflow.config.data import (
    Section as Section,
)
from reelflow.config.data import (
    SplitConfig as SplitConfig,
)
from reelflow.config.data import (
    SplitKind as SplitKind,
)
from reelflow.config.learning import (
    ModelConfig as ModelConfig,
)
from reelflow.config.learning import (
    Range as Range,
)
from reelflow.config.learning import (
    Space as Space,
)
from reelflow.config.learning import (
    TrainConfig as TrainConfig,
)
from reelflow.config.learning import (
    TunerConfig as TunerConfig,
)
from reelflow.config.learning import (
    Value as Value,
)
from reelflow.config.learning import (
    Values as Values,
)
from reelflow.config.operations import (
    BASELINES as BASELINES,
)
from reelflow.config.operations import (
    BeamConfig as BeamConfig,
)
from reelflow.config.operations import (
    GateConfig as GateConfig,
)
from reelflow.config.operations import (
    KeepConfig as KeepConfig,
)
from reelflow.config.operations import (
    KubeflowConfig as KubeflowConfig,
)
from reelflow.config.operations import (
    PushConfig as PushConfig,
)
from reelflow.config.operations import (
    RegistryConfig as RegistryConfig,
)
from reelflow.config.operations import (
    TaskConfig as TaskConfig,
)
from reelflow.config.operations import (
    unknown_baseline as unknown_baseline,
)


class Config(Section):
    """The whole configuration of a run."""

    data: DataConfig = DataConfig()
    """The ratings."""
    data_gate: DataGateConfig = DataGateConfig()
    """Bounds on each new span by itself."""
    split: SplitConfig = SplitConfig()
    """Train, validation and test."""
    model: ModelConfig = ModelConfig()
    """The model."""
    train: TrainConfig = TrainConfig()
    """The training loop."""
    tuner: TunerConfig = TunerConfig()
    """The search for better hyperparameters."""
    gate: GateConfig = GateConfig()
    """Bounds that a model must keep."""
    beam: BeamConfig = BeamConfig()
    """Beam's engine."""
    push: PushConfig = PushConfig()
    """The serving folder."""
    registry: RegistryConfig = RegistryConfig()
    """The model registry."""
    keep: KeepConfig = KeepConfig()
    """Retention of older runs."""
    kubeflow: KubeflowConfig = KubeflowConfig()
    """The tasks of a run on Kubeflow Pipelines."""

    @model_validator(mode="after")
    def _distribution(self) -> Config:
        """Refuse what parameter servers cannot train, or only by moving whole tables each step."""
        if self.train.distribution is None:
            return self
        model, wrong = self.model, []
        if model.loss not in ("sampled_softmax", "in_batch_softmax"):
            wrong.append('model.loss = "sampled_softmax" or "in_batch_softmax"')
        if model.query_bag and model.query != "user_id":
            wrong.append("model.query_bag = false (its sums take the whole table)")
        if model.query == "sequence":
            wrong.append('model.query = "both", "history" or "user_id" (attention has no tables)')
        if not model.retrieval_weight:
            wrong.append("model.retrieval_weight above 0 (stars are trained on one machine)")
        if model.rating_share_embeddings and model.rating_weight:
            wrong.append("model.rating_share_embeddings = false (stars are trained on one machine)")
        if self.tuner.trials:
            wrong.append("tuner.trials = 0 (tune on one machine)")
        if wrong:
            raise ValueError(
                f'train.distribution = "parameter_servers" needs {"; ".join(wrong)}; '
                "the preset parameter-servers has all of it"
            )
        return self

    @model_validator(mode="after")
    def _space(self) -> Config:
        """Refuse a search space with a value that its section would not take."""
        spaces = (("model", self.tuner.space.model), ("train", self.tuner.space.train))
        for name, space in spaces if self.tuner.trials else ():
            section = getattr(self, name)
            for key, values in space.items():
                if key not in type(section).model_fields:
                    raise ValueError(f"tuner.space.{name}: [{name}] has no key {key}")
                for value in (values.min, values.max) if isinstance(values, Range) else values:
                    try:
                        type(section).model_validate({**section.model_dump(), key: value})
                    except ValidationError as error:
                        words = error.errors()[0]["msg"].removeprefix("Value error, ")
                        where = f"tuner.space.{name}.{key}"
                        raise ValueError(f"{where}: {value!r}: {words}") from None
        return self
