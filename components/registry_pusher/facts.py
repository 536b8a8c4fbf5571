"""What the registry is told of a model: metrics, parameters, hashes, and where its code was."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

GIT: Final = "mlflow.source.git.commit"
"""MLflow's own tag for the commit."""
DATA_HASH: Final = "reelflow.data_hash"
USERS_HASH: Final = "reelflow.user_vocabulary_hash"
MOVIES_HASH: Final = "reelflow.movie_vocabulary_hash"
CODE_HASH: Final = "reelflow.code_hash"
ROWS: Final = "reelflow.train_rows"
PIPELINE_RUN: Final = "reelflow.run_id"
BLESSED: Final = "reelflow.blessed"
"""Tag of a version: `true` if gate and ServingCheck let it pass, else `false`."""
REASONS: Final = "reelflow.reasons"
"""Tag of a version: why the gate refused it, one reason a line."""
PUSHED_VERSION: Final = "reelflow.pushed_version"
"""Tag of a version: its number in the serving folder when it was last pushed by a run."""

AGAINST_CHAMPION: Final = "_against_champion"
"""How the names of the gate's bounds end that come from the champion (components/evaluator)."""


def only_the_champion_is_better(gate: Mapping[str, Any]) -> bool:
    """Whether a refused model keeps every bound but those that come from the champion.

    Args:
        gate: the section of `metrics.json`; `broken` has the names of bounds and guards.
    """
    broken = gate.get("broken", [])
    return bool(broken) and all(name.endswith(AGAINST_CHAMPION) for name in broken)


def metrics_of(evaluation: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, float]:
    """The model's metrics by path, `unseen/top_100`, the baselines' below their names.

    Args:
        evaluation: the Evaluator's `metrics.json`.
        check: ServingCheck's `reasons.json`.
    """
    flat = dict(flattened(evaluation["metrics"]))
    for name, figures in evaluation.get("baselines", {}).items():
        flat |= {f"{name}/{path}": value for path, value in flattened(figures)}
    if check.get("latency_ms") is not None:
        flat["latency_ms"] = check["latency_ms"]
    return {
        path: float(value)
        for path, value in flat.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def params_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The configuration as MLflow's parameters, `train.epochs`; what is not set is left out."""
    return {
        path: str(value)
        for path, value in flattened(config, separator=".")
        if value is not None and value != ""
    }


def flattened(
    values: Mapping[str, Any], above: str = "", separator: str = "/"
) -> Iterator[tuple[str, Any]]:
    """Every leaf of nested mappings with its path."""
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{path}{separator}", separator)
        else:
            yield path, value


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the source, with `-dirty` if files differ; none outside a git checkout."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):  # there is no git here
        return None
    return answer.stdout.strip() or None
