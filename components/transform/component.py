"""RatingsEncoder: the Transform graph applied once, to integer columns."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from components.transform import executor


class RatingsEncoderSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar[dict[str, Any]] = {}
    INPUTS: ClassVar = {
        executor.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        executor.CATALOGUE: ChannelParameter(type=standard_artifacts.Examples),
        executor.TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: ClassVar = {executor.ENCODED: ChannelParameter(type=standard_artifacts.Examples)}


class RatingsEncoder(base_component.BaseComponent):
    """Makes the `encoded` artifact that the Trainer and the Evaluator read memory-mapped."""

    SPEC_CLASS = RatingsEncoderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: channel.BaseChannel,
        catalogue: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
    ) -> None:
        """Describe the node.

        Args:
            examples: ExampleGen's ratings.
            catalogue: ExampleGen's films and users.
            transform_graph: Transform's output.
        """
        inputs: dict[str, Any] = {
            executor.EXAMPLES: examples,
            executor.CATALOGUE: catalogue,
            executor.TRANSFORM_GRAPH: transform_graph,
            executor.ENCODED: channel.Channel(type=standard_artifacts.Examples),
        }
        super().__init__(spec=RatingsEncoderSpec(**inputs))
