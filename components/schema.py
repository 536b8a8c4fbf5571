"""CuratedSchema: a schema of `schemas/` as an artifact."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

import os

from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME
from tfx.types.standard_artifacts import Schema
from tfx.utils import io_utils
from tfx.v1.dsl.components import OutputArtifact, Parameter, component


@component
def CuratedSchema(text: Parameter[str], schema: OutputArtifact[Schema]) -> None:
    """Write a schema, whose text is part of the cache's key.

    TFX's ImportSchemaGen keys by the file's path and would not notice that its content changed.

    Args:
        text: the schema, a text proto.
        schema: gets `schema.pbtxt`.
    """
    io_utils.write_string_file(os.path.join(schema.uri, DEFAULT_FILE_NAME), text)
