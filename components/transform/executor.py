"""RatingsEncoder's artifact I/O."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.trainer import features as f
from components.transform.encode import encode
from components.transform.graph import load_graph

EXAMPLES: Final = "examples"
CATALOGUE: Final = "catalogue"
TRANSFORM_GRAPH: Final = "transform_graph"
ENCODED: Final = "encoded"

BATCH_ROWS: Final = 1 << 18


class Executor(base_executor.BaseExecutor):
    """Encodes every split of `examples`, and the films of `catalogue`."""

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
