"""RegistryResolver: the registry's champion as an artifact, wherever the run happens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Final

from absl import logging
from tfx.dsl.components.base import base_component, base_driver, base_executor, executor_spec
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import saved_model
from reelflow.config import RegistryConfig
from reelflow.registry.store import CHAMPION, Registry, address

MODEL: Final = "model"
URI: Final = "uri"
FILE: Final = "file"
NAME: Final = "name"
VERSION: Final = "registry_version"
"""Property of execution and artifact: the champion's number in the registry, 0 if there is none."""
CREATED: Final = "registry_created"
"""Property of execution and artifact: when that version was registered, milliseconds since 1970."""
HASH: Final = "model_hash"
"""Property of execution and artifact: SHA-256 of the champion's SavedModel; empty if unknown."""


def registry_of(exec_properties: dict[str, Any]) -> Registry:
    """Return the registry that a node's properties name, or else the environment."""
    uri = address(exec_properties[URI] or None, Path(exec_properties[FILE]))
    return Registry(uri, exec_properties[NAME])


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Asks who the champion is and makes the answer part of the cache's key.

    So the node comes from the cache if, and only if, the champion is one that it has brought in
    before, and everything below it sees the same artifact again.
    """

    def __init__(self, handle: metadata.Metadata) -> None:
        """Initialize both of TFX's generations of drivers."""
        base_driver.BaseDriver.__init__(self, handle)
        portable_driver.BaseDriver.__init__(self, handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Return number, time and hash of the registry's champion as execution properties.

        Raises:
            NoAnswer: the registry cannot be asked.
        """
        champion = registry_of(execution_info.exec_properties).by_alias(CHAMPION)
        properties = {
            VERSION: champion.number if champion else 0,
            # A text: milliseconds are more than ML Metadata's integers in MySQL hold.
            CREATED: str(champion.created) if champion else "",
            HASH: champion.model_hash if champion else "",
        }
        result = driver_output_pb2.DriverOutput()
        for name, value in properties.items():
            data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result


class Executor(base_executor.BaseExecutor):
    """Downloads the version that the driver found."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bring in the champion's SavedModel, or leave the output empty.

        Raises:
            NoAnswer: the registry cannot be asked.
            BadInput: the champion is no model of Reelflow's.
        """
        registry, number = registry_of(exec_properties), exec_properties[VERSION]
        if not number:
            logging.info("The registry has no champion of %s.", registry.name)
            output_dict[MODEL].clear()
            return
        model = artifact_utils.get_single_instance(output_dict[MODEL])
        folder = saved_model(model)
        os.makedirs(folder.parent, exist_ok=True)
        registry.download(number, folder)
        model.set_int_custom_property(VERSION, number)
        model.set_string_custom_property(HASH, exec_properties[HASH])


class RegistryResolverSpec(ComponentSpec):
    """Inputs, outputs and parameters."""

    PARAMETERS: ClassVar = {
        URI: ExecutionParameter(type=str),
        FILE: ExecutionParameter(type=str),
        NAME: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {MODEL: ChannelParameter(type=standard_artifacts.Model)}


class RegistryResolver(base_component.BaseComponent):
    """Brings in the version that the registry's alias `champion` stands for.

    The output `model` is empty if there is none: a node that takes it must declare it optional.
    The registry is asked in every run. An unchanged champion is the same artifact again, so that
    what depends on it comes from the cache.
    """

    SPEC_CLASS = RegistryResolverSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, registry: RegistryConfig, file: str) -> None:
        """Describe the node.

        Args:
            registry: the registry and the name in it.
            file: the sqlite file that is the registry if no other is named.
        """
        spec = RegistryResolverSpec(
            uri=registry.uri or "",
            file=file,
            name=registry.name,
            model=channel.Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)
