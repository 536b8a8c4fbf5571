"""ServingCheck's artifact I/O."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Final

from absl import logging
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils, path_utils

from reelflow.saved_model.check import check

MODEL: Final = "model"
BLESSING: Final = "blessing"
LATENCY_MS_MAX: Final = "latency_ms_max"
TIMEOUT_SECONDS: Final = "timeout_seconds"


class Executor(base_executor.BaseExecutor):
    """Checks the model and marks the blessing as TFX's InfraValidator does."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bless the model or not; either way `reasons.json` says why."""
        model = artifact_utils.get_single_uri(input_dict[MODEL])
        verdict = check(
            Path(path_utils.serving_model_path(model)),
            latency_ms_max=exec_properties[LATENCY_MS_MAX],
            timeout_seconds=exec_properties[TIMEOUT_SECONDS],
        )
        for reason in verdict.reasons:
            logging.error("ServingCheck refuses the model: %s", reason)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        marker = "INFRA_BLESSED" if verdict.blessed else "INFRA_NOT_BLESSED"
        io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
        io_utils.write_string_file(os.path.join(blessing.uri, "reasons.json"), verdict.as_json())
        blessing.set_int_custom_property("blessed", int(verdict.blessed))


# ServingCheck: no pushing of a model that a server could not load and answer from.


class ServingCheckSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        LATENCY_MS_MAX: ExecutionParameter(type=float),
        TIMEOUT_SECONDS: ExecutionParameter(type=float),
    }
    INPUTS: ClassVar = {MODEL: ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS: ClassVar = {BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Loads the export in a fresh process, sends golden requests, measures latency.

    The output `blessing` is TFX's InfraBlessing, with `reasons.json` beside TFX's own marker file.
    A refusal does not fail the node: Pusher sees to it that the model goes no further.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

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
            MODEL: model,
            LATENCY_MS_MAX: float(latency_ms_max),
            TIMEOUT_SECONDS: float(timeout_seconds),
            BLESSING: channel.Channel(type=standard_artifacts.InfraBlessing),
        }
        super().__init__(spec=ServingCheckSpec(**inputs))
