"""What a task is told on its command line, by the package and by the run's parameters."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from yaml import YAMLError

from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.config.loading import load
from reelflow.config.reference import render
from reelflow.data.inputs import absolute
from reelflow.data.spans import is_pattern


@dataclass(frozen=True)
class TaskArguments:
    """The command line of a task.

    Attributes:
        node: the node to run; empty for the run's summary.
        graph: fingerprint of the package's graph.
        run_id: Kubeflow's id of the run.
        config: the configuration as JSON.
        data: folder or address of the ratings; empty for the configuration's.
        span: number of the span, or empty.
        overrides: `section.key=value`, over everything else.
    """

    node: str
    graph: str
    run_id: str
    config: str
    data: str
    span: str
    overrides: tuple[str, ...]

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> TaskArguments:
        """Read the command line, this process's by default; exits with 2 if it is wrong."""
        parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.task")
        parser.add_argument("--node", default="")
        for name in ("graph", "run-id", "config"):
            parser.add_argument(f"--{name}", required=True)
        for name in ("data", "span"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--overrides", default="[]", help="a JSON list of section.key=value")
        known = vars(parser.parse_args(arguments))
        try:
            overrides = json.loads(known.pop("overrides"))
        except json.JSONDecodeError as error:
            parser.error(f"--overrides: no JSON: {error}")
        if not isinstance(overrides, list) or not all(isinstance(x, str) for x in overrides):
            parser.error("--overrides: not a list of texts")
        return cls(overrides=tuple(overrides), **known)

    def effective_config(self) -> Config:
        """The package's configuration with the run's parameters over it.

        Raises:
            BadInput: a parameter is wrong, or no ratings are named.
        """
        changes = []
        if self.data:
            changes.append(f"data.path={json.dumps(self.data)}")
        if self.span:
            changes.append(f"data.span={json.dumps(self.span)}")
        try:
            packaged = Config.model_validate_json(self.config)
        except ValidationError as error:
            raise BadInput(f"The run's parameter `config` cannot be read: {error}") from None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "config.toml")
            file.write_text(render(packaged, comments=False), encoding="utf-8")
            config = load(file, [*changes, *self.overrides])
        if config.data.path is None:
            raise BadInput(
                "The run names no ratings.",
                "Give it the parameter `data`: a folder, or an address.",
            )
        if config.data.span is not None and not is_pattern(config.data.path):
            raise BadInput(
                f"A span of {config.data.path} is asked for, and nothing says where spans are.",
                "Compile a package whose data.path has placeholders, as /ratings/{SPAN}.",
            )
        data = config.data.model_copy(update={"path": absolute(config.data.path)})
        return config.model_copy(update={"data": data})


def packaged(package: Path, **given: object) -> TaskArguments:
    """What the tasks of a package will be told.

    Args:
        package: the compiled package.
        given: the run's parameters, over the package's defaults.

    Raises:
        BadInput: this is no package of ours.
    """
    from kfp import components

    try:
        spec = components.load_component_from_file(str(package)).pipeline_spec
        defined = spec.root.input_definitions.parameters
        values = {name: defined[name].default_value.string_value for name in ("config", "data")}
    except OSError as error:
        raise BadInput(
            f"{package}: {error.strerror}.", "Run `reelflow kubeflow compile` first."
        ) from None
    except (ValueError, TypeError, LookupError, AttributeError, YAMLError) as error:
        raise BadInput(
            f"{package}: no package of Reelflow ({type(error).__name__}).",
            "Make one by `reelflow kubeflow compile`.",
        ) from None
    known = {"span": "", "overrides": (), **values, **given}
    return TaskArguments(node="", graph="", run_id="", **known)


def layout_of(config: Config) -> Layout:
    """The output folder on the volume that the run's tasks share."""
    return Layout.of(config.kubeflow.output)
