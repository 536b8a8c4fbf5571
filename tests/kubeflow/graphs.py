"""A small graph and its package, for tests that need no TFX."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from pipeline.kubeflow.package import write_package
from pipeline.kubeflow.parameters import Graph
from reelflow.config import Config

GRAPH = Graph(
    upstream={
        "RatingsExampleGen": (),
        "RatingsSchema": (),
        "Trainer": ("RatingsExampleGen", "RatingsSchema"),
        "ChampionResolver": ("Trainer",),
        "Evaluator": ("ChampionResolver", "Trainer"),
    },
    code="0123456789abcdef" * 4,
)


def package_in(folder: Path, **sections: dict[str, Any]) -> Path:
    """A package of `GRAPH`, whose ratings are in /ratings unless `data` says otherwise."""
    config = Config.model_validate({"data": {"path": "/ratings"}, **sections})
    file = folder / "package.yaml"
    file.write_text(_package(config.model_dump_json()), encoding="utf-8")
    return file


@functools.cache
def _package(config: str) -> str:
    """Text of the package of a configuration; the kfp SDK takes seconds to compile it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "package.yaml"
        write_package(GRAPH, Config.model_validate_json(config), "reelflow", file)
        return file.read_text(encoding="utf-8")
