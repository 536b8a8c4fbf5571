"""RatingsEncoder's artifact I/O."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.parquet as pq
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from reelflow.base import columns as f
from reelflow.encoding.encode import encode
from reelflow.encoding.graph import load_graph

EXAMPLES: Final = "examples"
CATALOGUE: Final = "catalogue"
TRANSFORM_GRAPH: Final = "transform_graph"
ENCODED: Final = "encoded"

BATCH_ROWS: Final = 1 << 18


class Executor(base_executor.BaseExecutor):
    """Encodes every split of `examples`, and the movies of `catalogue`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Read, encode, write."""
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES])
        catalogue = artifact_utils.get_single_instance(input_dict[CATALOGUE])
        graph = load_graph(artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH]))
        users = None
        if graph.user_features is not None:
            users = pa.Table.from_batches(batches(catalogue, f.USERS))
        data = encode(
            graph,
            {split: batches(examples, split) for split in f.RATING_SPLITS},
            pa.Table.from_batches(batches(catalogue, f.MOVIES)),
            users,
        )
        encoded = artifact_utils.get_single_instance(output_dict[ENCODED])
        data.save(Path(encoded.uri))
        encoded.split_names = artifact_utils.encode_split_names([*f.RATING_SPLITS, f.MOVIES])
        encoded.set_int_custom_property(
            "rows", len(data.train) + len(data.validation) + len(data.test)
        )


def batches(examples: Artifact, split: str) -> Iterator[pa.RecordBatch]:
    """The record batches of a Parquet split, in order of its files."""
    for path in sorted(Path(artifact_utils.get_split_uri([examples], split)).glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BATCH_ROWS)


# RatingsEncoder: the Transform graph applied once, to integer columns.


class RatingsEncoderSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar[dict[str, Any]] = {}
    INPUTS: ClassVar = {
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        CATALOGUE: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: ClassVar = {ENCODED: ChannelParameter(type=standard_artifacts.Examples)}


class RatingsEncoder(base_component.BaseComponent):
    """Makes the `encoded` artifact that the Trainer and the Evaluator read memory-mapped."""

    SPEC_CLASS = RatingsEncoderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

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
            catalogue: ExampleGen's movies and users.
            transform_graph: Transform's output.
        """
        inputs: dict[str, Any] = {
            EXAMPLES: examples,
            CATALOGUE: catalogue,
            TRANSFORM_GRAPH: transform_graph,
            ENCODED: channel.Channel(type=standard_artifacts.Examples),
        }
        super().__init__(spec=RatingsEncoderSpec(**inputs))
