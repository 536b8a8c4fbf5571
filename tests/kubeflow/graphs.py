"""A small graph and its package, for tests that need no TFX."""

from __future__ import annotations

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
    write_package(GRAPH, config, "reelflow", file)
    return file
