"""CuratedSchema: a schema of `schemas/` as an artifact."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from tfx.components.schema_gen.import_schema_gen import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.component_spec import ExecutionParameter

SHA256 = "sha256"


class CuratedSchemaSpec(specs.ImportSchemaGenSpec):
    """ImportSchemaGen's, with the hash of what is imported."""

    PARAMETERS: ClassVar = {
        **specs.ImportSchemaGenSpec.PARAMETERS,
        SHA256: ExecutionParameter(type=str),
    }


class CuratedSchema(base_component.BaseComponent):
    """TFX's ImportSchemaGen, whose cache would not notice that the file has changed.

    Output: `schema`.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, path: Path) -> None:
        """Describe the node.

        Args:
            path: the schema, a text proto.
        """
        spec = CuratedSchemaSpec(
            schema_file=str(path),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            schema=channel.Channel(type=standard_artifacts.Schema),
        )
        super().__init__(spec=spec)
