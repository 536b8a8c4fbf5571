"""Pusher's artifact I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.components.pusher import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, channel
from tfx.types import standard_component_specs as specs
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, json_utils, proto_utils

from reelflow.registry.push import push

KEEP: Final = "keep"
HOLD: Final = "hold"


class Executor(executor.Executor):
    """Pushes if both blessings are there and say yes, and nobody wants to decide later."""

    def CheckBlessing(self, input_dict: dict[str, list[Artifact]]) -> bool:
        """Whether both validators blessed the model; TFX would be content with a missing one."""
        both = (specs.MODEL_BLESSING_KEY, specs.INFRA_BLESSING_KEY)
        return all(input_dict.get(key) for key in both) and bool(super().CheckBlessing(input_dict))

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model, or say in the output that it was not pushed."""
        pushed = artifact_utils.get_single_instance(output_dict[specs.PUSHED_MODEL_KEY])
        settings = json_utils.loads(exec_properties[specs.CUSTOM_CONFIG_KEY])
        if settings[HOLD] or not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[specs.PUSH_DESTINATION_KEY], destination)
        model = self.GetModelPath(input_dict)
        version = push(
            Path(model), Path(destination.filesystem.base_directory), keep=settings[KEEP]
        )
        logging.info("Model pushed to %s.", version)
        io_utils.copy_dir(model, pushed.uri)
        self._MarkPushed(pushed, pushed_destination=str(version), pushed_version=version.name)


# Pusher: TFX's own, with an atomic push and a bound on the versions kept.


class Pusher(component.Pusher):
    """Pushes a model with both blessings to `directory/<version>`; see `push.push`.

    The output `pushed_model` carries what TFX's Pusher sets: `pushed`, `pushed_destination` and
    `pushed_version`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        model_blessing: channel.BaseChannel,
        infra_blessing: channel.BaseChannel,
        directory: str,
        keep: int,
        hold: bool = False,
    ) -> None:
        """Describe the node.

        Args:
            model: the Model to push.
            model_blessing: the Evaluator's ModelBlessing.
            infra_blessing: ServingCheck's InfraBlessing.
            directory: the serving folder.
            keep: versions to keep, the new one included.
            hold: push nothing; somebody promotes the model later.
        """
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=directory)
        )
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=destination,
            custom_config={KEEP: keep, HOLD: hold},
        )
