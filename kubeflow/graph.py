"""What a package and a container must agree on: the nodes, their order, and the code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.code_hash import code_hash
from ratings.errors import BadInput, ReelflowError

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2


@dataclass(frozen=True)
class Graph:
    """The nodes of a compiled pipeline.

    Attributes:
        upstream: node id to the ids that it waits for, for data or by order alone.
        code: hash of the code that the nodes run.
    """

    upstream: dict[str, tuple[str, ...]]
    code: str

    @property
    def shape(self) -> str:
        """Hash of nodes and dependencies; the same for both TFX versions."""
        ordered = {node: sorted(needed) for node, needed in sorted(self.upstream.items())}
        return hashlib.sha256(json.dumps(ordered).encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Shape and code in one word, for a command line."""
        return f"{self.shape}-{self.code[:16]}"

    def check(self, fingerprint: str) -> None:
        """Compares what a container has compiled with what the package was made from.

        Raises:
            BadInput: the run's parameters make another graph than the package's tasks are.
            ReelflowError: the image holds other code than the package was made from.
        """
        shape, _, code = fingerprint.partition("-")
        if code != self.code[: len(code)]:
            raise ReelflowError(
                "The image holds other code than the package was compiled from.",
                "Build the image and compile the package from the same commit.",
            )
        if shape != self.shape:
            raise BadInput(
                "With this run's parameters the pipeline has other nodes than the package.",
                "Compile a package with the same configuration (`reelflow kubeflow compile`).",
            )


def graph_of(ir: pipeline_pb2.Pipeline) -> Graph:
    """The graph of a compiled pipeline, resolvers and an optional tuner included."""
    nodes = [node.pipeline_node for node in ir.nodes]
    return Graph(
        upstream={node.node_info.id: tuple(node.upstream_nodes) for node in nodes},
        code=code_hash(),
    )
