"""Evaluator: exact ranks, TFMA's verdict, and the reasons."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.evaluator import executor
from pipeline.config import GateConfig


class EvaluatorSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        executor.GATE: ExecutionParameter(type=str),
        executor.SEED: ExecutionParameter(type=int),
    }
    INPUTS: ClassVar = {
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.CHAMPION: ChannelParameter(type=standard_artifacts.Model, optional=True),
        executor.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        executor.ENCODED: ChannelParameter(type=standard_artifacts.Examples),
        executor.CATALOGUE: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS: ClassVar = {
        executor.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        executor.BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Asks the exported model's own `evaluate` signature, and lets TFMA apply the bounds.

    Outputs: `evaluation` (TFMA's files and `metrics.json`) and `blessing` (TFX's ModelBlessing). A
    refusal does not fail the node: Pusher sees to it that the model goes no further.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        baseline_model: channel.BaseChannel,
        examples: channel.BaseChannel,
        encoded: channel.BaseChannel,
        gate: GateConfig,
        seed: int,
        catalogue: channel.BaseChannel | None = None,
    ) -> None:
        """Describe the node.

        Args:
            model: the candidate.
            baseline_model: the champion that the model is held against; may be empty.
            examples: ExampleGen's ratings, for the raw ids of the test split.
            encoded: RatingsEncoder's ratings.
            gate: the bounds.
            seed: of the sample, if the test split is larger than `gate.max_test_rows`, and of the
                bootstrap.
            catalogue: ExampleGen's catalogue, for slices by user attributes if it has any.
        """
        inputs: dict[str, Any] = {
            executor.MODEL: model,
            executor.CHAMPION: baseline_model,
            executor.EXAMPLES: examples,
            executor.ENCODED: encoded,
            executor.GATE: gate.model_dump_json(),
            executor.SEED: seed,
            executor.EVALUATION: channel.Channel(type=standard_artifacts.ModelEvaluation),
            executor.BLESSING: channel.Channel(type=standard_artifacts.ModelBlessing),
        }
        if catalogue is not None:
            inputs[executor.CATALOGUE] = catalogue
        super().__init__(spec=EvaluatorSpec(**inputs))
