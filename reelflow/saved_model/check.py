"""Whether a model can be served: runs the probe in a fresh process and judges its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]
_PROBE = "reelflow.saved_model.probe"
_LAST_LINES = 15


@dataclass(frozen=True)
class Verdict:
    """What ServingCheck found; `reasons.json` holds the same names."""

    reasons: tuple[str, ...] = ()
    """Why the model must not be served; none means that it may."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """`median` and `p95` of a single-user request; empty if it came to none."""
    load_seconds: float | None = None
    """Time to load the model in a fresh process, without importing TensorFlow."""
    golden: int = 0
    """Golden requests that were compared."""

    @property
    def blessed(self) -> bool:
        """Whether nothing speaks against the model."""
        return not self.reasons

    def as_json(self) -> str:
        """The content of `reasons.json`."""
        content = {
            "blessed": self.blessed,
            "reasons": list(self.reasons),
            "latency_ms": dict(self.latency_ms),
            "load_seconds": self.load_seconds,
            "golden": self.golden,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)


def check(model_dir: Path, *, latency_ms_max: float, timeout_seconds: float) -> Verdict:
    """Load and question a SavedModel in a process of its own.

    Args:
        model_dir: folder with `saved_model.pb` and `assets.extra/`.
        latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
        timeout_seconds: after which the process is ended and the model refused.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", _PROBE, str(model_dir), str(report)]
        try:
            ended = subprocess.run(
                command,
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_seconds,
                check=False,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return Verdict((f"the model did not answer within {timeout_seconds:g} seconds",))
        if ended.returncode != 0:
            lines = "\n".join(ended.stdout.strip().splitlines()[-_LAST_LINES:])
            return Verdict((f"the model cannot be loaded and questioned on its own:\n{lines}",))
        return judge(json.loads(report.read_text(encoding="utf-8")), latency_ms_max)


def judge(report: Mapping[str, Any], latency_ms_max: float) -> Verdict:
    """The verdict on a probe's report."""
    reasons = list(report["reasons"])
    latency: Mapping[str, float] = report["latency_ms"] or {}
    if latency and latency["median"] > latency_ms_max:
        reasons.append(
            f"a recommendation takes {latency['median']:.1f} ms (median), "
            f"push.latency_ms_max allows {latency_ms_max:g} ms"
        )
    return Verdict(tuple(reasons), latency, report["load_seconds"], report["golden"])


def _environment() -> dict[str, str]:
    """This process's environment, with what TensorFlow needs and our packages on the path."""
    path = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return os.environ | quiet | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": path}
