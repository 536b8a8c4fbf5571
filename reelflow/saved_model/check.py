"""ServingCheck: run the probe of a model in a fresh process and judge its result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

REASONS_FILE: Final = "reasons.json"

_PROJECT = Path(__file__).parents[2]
_PROBE = "reelflow.saved_model.probe"
_LAST_LINES = 15


@dataclass(frozen=True)
class ServingResult:
    """Result of the probe, then of ServingCheck: the content of `reasons.json`."""

    reasons: tuple[str, ...] = ()
    """Sentences against the model; empty if it may be served."""
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

    def write(self, folder: Path) -> None:
        """Write `reasons.json` into an artifact's folder, which is made if need be."""
        content = {
            "blessed": self.blessed,
            "reasons": list(self.reasons),
            "latency_ms": dict(self.latency_ms),
            "load_seconds": self.load_seconds,
            "golden": self.golden,
        }
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (folder / REASONS_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ServingResult:
        """Read `reasons.json` of an artifact's folder.

        Raises:
            OSError: there is no such file.
        """
        content = json.loads((folder / REASONS_FILE).read_text(encoding="utf-8"))
        return cls(
            reasons=tuple(content["reasons"]),
            latency_ms=content.get("latency_ms") or {},
            load_seconds=content.get("load_seconds"),
            golden=content.get("golden", 0),
        )


def check(model_dir: Path, *, latency_ms_max: float, timeout_seconds: float) -> ServingResult:
    """Load and ask a SavedModel in a process of its own.

    Args:
        model_dir: folder with `saved_model.pb` and `assets.extra/`.
        latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
        timeout_seconds: time after which the process is ended and the model refused.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", _PROBE, str(model_dir), scratch]
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
            return ServingResult((f"the model did not answer within {timeout_seconds:g} seconds",))
        if process.returncode != 0:
            lines = "\n".join(process.stdout.strip().splitlines()[-_LAST_LINES:])
            return ServingResult(
                (f"the model cannot be loaded and questioned on its own:\n{lines}",)
            )
        return judge(ServingResult.read(Path(scratch)), latency_ms_max)


def judge(result: ServingResult, latency_ms_max: float) -> ServingResult:
    """Return a probe's result with a reason more if the median latency is above its bound."""
    median = result.latency_ms.get("median", 0.0)
    if median <= latency_ms_max:
        return result
    reason = (
        f"a recommendation takes {median:.1f} ms (median), "
        f"push.latency_ms_max allows {latency_ms_max:g} ms"
    )
    return replace(result, reasons=(*result.reasons, reason))


def _environment() -> dict[str, str]:
    """This process's environment, with TensorFlow kept quiet and our packages on the path."""
    path = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return os.environ | quiet | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": path}
