"""Whether two runs have made the same: files by hash, statistics field by field."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2

SAME_BYTES = {
    "RatingsExampleGen": ("examples", "catalogue", "quarantine"),
    "Transform": ("transform_graph",),
    "RatingsEncoder": ("encoded",),
}
"""Outputs by node whose files must have the same names and bytes, but for `SERIALIZED`."""

SERIALIZED = ("saved_model.pb", "fingerprint.pb", "variables.index")
"""TensorFlow writes the same graph in another order from one process to the next. That these do the
same is seen by `encoded`: the graph applied to every rating and every movie."""

STATISTICS = {"RatingsStatistics": "statistics", "MoviesStatistics": "statistics"}

TOLERANCE = 1e-6
"""Relative, of means, deviations and quantiles: sums of the same numbers in another order."""


def compare(one: Path, other: Path) -> tuple[dict[str, int], list[str]]:
    """Compare what two output folders hold.

    Returns:
        How many files or numbers were found the same, by output; and what is not the same.
    """
    same: dict[str, int] = {}
    differences: list[str] = []
    for node, outputs in SAME_BYTES.items():
        for output in outputs:
            left, right = (hashes(newest(root, node, output)) for root in (one, other))
            same[f"{node}.{output}"] = sum(right.get(name) == sha for name, sha in left.items())
            wrong = sorted(n for n in {*left, *right} if left.get(n) != right.get(n))
            differences += [f"{node}.{output}: {name}" for name in wrong]
    for node, output in STATISTICS.items():
        left, right = (statistics(newest(root, node, output)) for root in (one, other))
        wrong = sorted(k for k in {*left, *right} if not close(left.get(k), right.get(k)))
        same[f"{node}.{output}"] = len(left) - len(wrong)
        differences += [f"{node}: {key}: {left.get(key)} and {right.get(key)}" for key in wrong]
    return same, differences


def newest(root: Path, node: str, output: str) -> Path:
    """The folder of a node's newest output."""
    folder = root / "artifacts" / node / output
    return max(
        (path for path in folder.iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
    )


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path, but for those that `SERIALIZED` names."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in SERIALIZED
    }


def statistics(folder: Path) -> dict[str, Any]:
    """Every number and text of all splits' statistics, by its place."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("FeatureStats.pb")):
        message = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        for dataset in message.datasets:
            for feature in dataset.features:
                place = f"{path.parent.name} {'.'.join(feature.path.step)}"
                found.update(_leaves(json_format.MessageToDict(feature), place))
    return found


def close(one: Any, other: Any) -> bool:
    """Equal, or numbers that differ by no more than the tolerance."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key], f"{place} {key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{place} {index}")
    else:
        yield place, value
