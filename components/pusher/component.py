"""Pusher: TFX's own, with an atomic push and a bound on the versions kept."""

from __future__ import annotations

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import channel

from components.pusher import executor


class Pusher(component.Pusher):
    """Pushes a model with both blessings to `directory/<version>`; see `push.push`.

    The output `pushed_model` carries what TFX's Pusher sets: `pushed`, `pushed_destination` and
    `pushed_version`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

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
            custom_config={executor.KEEP: keep, executor.HOLD: hold},
        )
