"""RegistryResolver: the registry's champion as an artifact, wherever the run happens."""

from __future__ import annotations

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.registry_resolver import executor
from pipeline.config import RegistryConfig


class RegistryResolverSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        executor.URI: ExecutionParameter(type=str),
        executor.FILE: ExecutionParameter(type=str),
        executor.NAME: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {executor.MODEL: ChannelParameter(type=standard_artifacts.Model)}


class RegistryResolver(base_component.BaseComponent):
    """Brings in the version that the registry's alias `champion` stands for.

    The output `model` is empty if there is none; whoever takes it must declare the input optional.
    The registry is asked in every run. An unchanged champion is the same artifact again, so that
    what depends on it comes from the cache.
    """

    SPEC_CLASS = RegistryResolverSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = executor.Driver

    def __init__(self, registry: RegistryConfig, file: str) -> None:
        """Describe the node.

        Args:
            registry: the registry and the name in it.
            file: the sqlite file that is the registry if nobody names another.
        """
        spec = RegistryResolverSpec(
            uri=registry.uri or "",
            file=file,
            name=registry.name,
            model=channel.Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)
