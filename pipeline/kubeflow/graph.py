"""The graph that a package and its containers must agree on. Imports no TFX."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import code_hash

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

    @classmethod
    def of(cls, ir: pipeline_pb2.Pipeline) -> Graph:
        """Return the graph of a compiled pipeline, resolvers and an optional tuner included."""
        nodes = [node.pipeline_node for node in ir.nodes]
        upstream = {node.node_info.id: tuple(node.upstream_nodes) for node in nodes}
        return cls(upstream, code_hash())

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
        """Compare the graph that a container has compiled with the package's.

        Args:
            fingerprint: of the package's graph.

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
