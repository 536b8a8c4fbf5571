"""Graph and parameters on which a package and its tasks agree: command line and environment.

Imports no TFX, except to connect to ML Metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from yaml import YAMLError

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout, code_hash
from reelflow.config.loading import load, to_toml
from reelflow.data.inputs import absolute
from reelflow.data.spans import is_pattern

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2
    from tfx.proto.orchestration import pipeline_pb2

METADATA_VARIABLES = {
    "host": "REELFLOW_METADATA_HOST",
    "port": "REELFLOW_METADATA_PORT",
    "database": "REELFLOW_METADATA_DATABASE",
    "user": "REELFLOW_METADATA_USER",
    "password": "REELFLOW_METADATA_PASSWORD",
}
"""Key in the secret of ML Metadata's connection to environment variable of every task."""


@dataclass(frozen=True)
class Graph:
    """The nodes of a compiled pipeline."""

    upstream: dict[str, tuple[str, ...]]
    """Node id to the ids that it waits for, for data or by order alone."""
    code: str
    """Hash of the code that the nodes run."""

    @classmethod
    def of(cls, ir: pipeline_pb2.Pipeline) -> Graph:
        """Return the graph of a compiled pipeline, resolvers and an optional tuner included."""
        nodes = [node.pipeline_node for node in ir.nodes]
        upstream = {node.node_info.id: tuple(node.upstream_nodes) for node in nodes}
        return cls(upstream, code_hash())

    @property
    def fingerprint(self) -> str:
        """Hashes of nodes and dependencies, the same for both TFX versions, and of the code."""
        ordered = {node: sorted(needed) for node, needed in sorted(self.upstream.items())}
        shape = hashlib.sha256(json.dumps(ordered).encode()).hexdigest()
        return f"{shape[:16]}-{self.code[:16]}"

    def check(self, fingerprint: str) -> None:
        """Compare the graph that a container has compiled with the package's, by its fingerprint.

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
        if shape != self.fingerprint.partition("-")[0]:
            raise BadInput(
                "With this run's parameters the pipeline has other nodes than the package.",
                "Compile a package with the same configuration (`reelflow kubeflow compile`).",
            )


@dataclass(frozen=True)
class TaskArguments:
    """The command line of a task."""

    node: str
    """The node to run, or `Summary`."""
    graph: str
    """Fingerprint of the package's graph."""
    run_id: str
    """Kubeflow's id of the run."""
    config: str
    """The configuration as JSON."""
    data: str
    """Folder or address of the ratings; empty for the configuration's."""
    span: str
    """Number of the span, or empty."""
    overrides: tuple[str, ...]
    """`section.key=value`, over everything else."""

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> TaskArguments:
        """Read a command line, this process's by default; exit with 2 if it is wrong."""
        parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.task")
        for name in ("graph", "run-id", "config"):
            parser.add_argument(f"--{name}", required=True)
        for name in ("node", "data", "span"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--overrides", default="[]", help="a JSON list of section.key=value")
        values = vars(parser.parse_args(arguments))
        try:
            overrides = json.loads(values.pop("overrides"))
        except json.JSONDecodeError as error:
            parser.error(f"--overrides: no JSON: {error}")
        if not isinstance(overrides, list) or not all(isinstance(x, str) for x in overrides):
            parser.error("--overrides: not a list of texts")
        return cls(overrides=tuple(overrides), **values)

    def effective_config(self) -> Config:
        """Return the package's configuration with the run's parameters over it.

        Raises:
            BadInput: a parameter is wrong, or no ratings are named.
        """
        values = {"data.path": self.data, "data.span": self.span}
        changes = [f"{key}={json.dumps(value)}" for key, value in values.items() if value]
        try:
            packaged = Config.model_validate_json(self.config)
        except ValidationError as error:
            raise BadInput(f"The run's parameter `config` cannot be read: {error}") from None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "config.toml")
            file.write_text(to_toml(packaged, comments=False), encoding="utf-8")
            config = load(file, [*changes, *self.overrides])
        if config.data.path is None:
            remedy = "Give it the parameter `data`: a folder, or an address."
            raise BadInput("The run names no ratings.", remedy)
        if config.data.span is not None and not is_pattern(config.data.path):
            raise BadInput(
                f"A span of {config.data.path} is asked for, and nothing says where spans are.",
                "Compile a package whose data.path has placeholders, as /ratings/{SPAN}.",
            )
        data = config.data.model_copy(update={"path": absolute(config.data.path)})
        return config.model_copy(update={"data": data})


def packaged(package: Path, **parameters: object) -> TaskArguments:
    """Return the arguments that a package's tasks get in a run.

    Args:
        package: the compiled package.
        parameters: the run's parameters, over the package's defaults.

    Raises:
        BadInput: this is no package of ours.
    """
    from kfp import components

    try:
        spec = components.load_component_from_file(str(package)).pipeline_spec
        defined = spec.root.input_definitions.parameters
        values = {name: defined[name].default_value.string_value for name in ("config", "data")}
    except OSError as error:
        remedy = "Run `reelflow kubeflow compile` first."
        raise BadInput(f"{package}: {error.strerror}.", remedy) from None
    except (ValueError, TypeError, LookupError, AttributeError, YAMLError) as error:
        message = f"{package}: no package of Reelflow ({type(error).__name__})."
        raise BadInput(message, "Make one by `reelflow kubeflow compile`.") from None
    merged = {"span": "", "overrides": (), **values, **parameters}
    return TaskArguments(node="", graph="", run_id="", **merged)


def layout_of(config: Config) -> Layout:
    """Return the output folder on the volume that the run's tasks share."""
    return Layout.of(config.kubeflow.output)


def connection_config(
    environment: Mapping[str, str] = os.environ,
) -> metadata_store_pb2.ConnectionConfig:
    """Return how to connect to ML Metadata in MySQL. Imports TFX.

    Args:
        environment: has the variables of `METADATA_VARIABLES`, which come from a secret.

    Raises:
        BadInput: a variable is missing, or the port is no number.
    """
    from tfx.orchestration import metadata

    missing = [name for name in METADATA_VARIABLES.values() if not environment.get(name)]
    if missing:
        raise BadInput(
            f"{', '.join(missing)}: not set.",
            "The tasks take them from the secret that kubeflow.metadata_secret names.",
        )
    values = {key: environment[name] for key, name in METADATA_VARIABLES.items()}
    if not values["port"].isascii() or not values["port"].isdigit():
        raise BadInput(f"{METADATA_VARIABLES['port']}: {values['port']} is no port.")
    return metadata.mysql_metadata_connection_config(
        host=values["host"],
        port=int(values["port"]),
        database=values["database"],
        username=values["user"],
        password=values["password"],
    )
