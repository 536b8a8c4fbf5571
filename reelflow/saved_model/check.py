"""ServingCheck: run the probe of a model in a fresh process and judge its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PROJECT = Path(__file__).parents[2]
_PROBE = "reelflow.saved_model.probe"
_LAST_LINES = 15


@dataclass(frozen=True)
class ProbeReport:
    """Results of `probe`, which passes them to this process as JSON."""

    reasons: list[str]
    """Sentences against the model."""
    load_seconds: float
    """Time to load the model in a fresh process, without importing TensorFlow."""
    golden: int = 0
    """Golden requests that were compared."""
    latency_ms: dict[str, float] | None = None
    """`median` and `p95` of a single-user request; None if it was not measured."""

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ProbeReport:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Verdict:
    """Result of ServingCheck, with the names of `reasons.json`."""

    reasons: tuple[str, ...] = ()
    """Reasons for which the model must not be served; empty if it may."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """`median` and `p95` of a single-user request; empty if it was not measured."""
    load_seconds: float | None = None
    """Time to load the model in a fresh process, without importing TensorFlow."""
    golden: int = 0
    """Golden requests that were compared."""

    @property
    def blessed(self) -> bool:
        """True if there is no reason against the model."""
        return not self.reasons

    def as_json(self) -> str:
        """Return the content of `reasons.json`."""
        content = {
            "blessed": self.blessed,
            "reasons": list(self.reasons),
            "latency_ms": dict(self.latency_ms),
            "load_seconds": self.load_seconds,
            "golden": self.golden,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)


def check(model_dir: Path, *, latency_ms_max: float, timeout_seconds: float) -> Verdict:
    """Load and ask a SavedModel in a process of its own.

    Args:
        model_dir: folder with `saved_model.pb` and `assets.extra/`.
        latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
        timeout_seconds: time after which the process is ended and the model refused.
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", _PROBE, str(model_dir), str(report)]
        try:
            process = subprocess.run(
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
        if process.returncode != 0:
            lines = "\n".join(process.stdout.strip().splitlines()[-_LAST_LINES:])
            return Verdict((f"the model cannot be loaded and questioned on its own:\n{lines}",))
        return judge(ProbeReport.read(report), latency_ms_max)


def judge(report: ProbeReport, latency_ms_max: float) -> Verdict:
    """Return the verdict on a probe's report."""
    reasons = list(report.reasons)
    latency = report.latency_ms or {}
    if latency and latency["median"] > latency_ms_max:
        reasons.append(
            f"a recommendation takes {latency['median']:.1f} ms (median), "
            f"push.latency_ms_max allows {latency_ms_max:g} ms"
        )
    return Verdict(tuple(reasons), latency, report.load_seconds, report.golden)


def _environment() -> dict[str, str]:
    """This process's environment, with TensorFlow kept quiet and our packages on the path."""
    path = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return os.environ | quiet | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": path}
