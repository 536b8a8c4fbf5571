"""RatingsEncoder: the Transform graph applied once, to integer columns."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

from pathlib import Path

import pyarrow as pa
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, TransformGraph
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, component

from components.artifacts import record_batches
from reelflow.base import columns as f
from reelflow.encoding.encode import encode
from reelflow.encoding.graph import load_graph


@component
def RatingsEncoder(
    examples: InputArtifact[Examples],
    catalogue: InputArtifact[Examples],
    transform_graph: InputArtifact[TransformGraph],
    encoded: OutputArtifact[Examples],
) -> None:
    """Encode every split of the ratings, and the movies.

    Args:
        examples: ExampleGen's ratings.
        catalogue: ExampleGen's movies and users.
        transform_graph: Transform's output.
        encoded: gets columns that the Trainer and the Evaluator read memory-mapped.
    """
    graph = load_graph(transform_graph.uri)
    users = None
    if graph.user_features is not None:
        users = pa.Table.from_batches(record_batches(catalogue, f.USERS))
    data = encode(
        graph,
        {split: record_batches(examples, split) for split in f.RATING_SPLITS},
        pa.Table.from_batches(record_batches(catalogue, f.MOVIES)),
        users,
    )
    data.save(Path(encoded.uri))
    encoded.split_names = artifact_utils.encode_split_names([*f.RATING_SPLITS, f.MOVIES])
    encoded.set_int_custom_property("rows", sum(map(len, (data.train, data.validation, data.test))))
