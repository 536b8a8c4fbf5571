"""ServingCheck: no pushing of a model that a server could not load and answer from."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.serving_check import executor


class ServingCheckSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        executor.LATENCY_MS_MAX: ExecutionParameter(type=float),
        executor.TIMEOUT_SECONDS: ExecutionParameter(type=float),
    }
    INPUTS: ClassVar = {executor.MODEL: ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS: ClassVar = {executor.BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Loads the export in a fresh process, sends golden requests, measures latency.

    The output `blessing` is TFX's InfraBlessing, with `reasons.json` beside TFX's own marker file.
    A refusal does not fail the node: Pusher sees to it that the model goes no further.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        latency_ms_max: float,
        timeout_seconds: float = 300.0,
    ) -> None:
        """Describe the node.

        Args:
            model: the Trainer's Model.
            latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
            timeout_seconds: after which the fresh process is ended and the model refused.
        """
        inputs: dict[str, Any] = {
            executor.MODEL: model,
            executor.LATENCY_MS_MAX: float(latency_ms_max),
            executor.TIMEOUT_SECONDS: float(timeout_seconds),
            executor.BLESSING: channel.Channel(type=standard_artifacts.InfraBlessing),
        }
        super().__init__(spec=ServingCheckSpec(**inputs))
