"""`tfx pipeline create` and `tfx run create` run the same graph and leave the same summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.data.sample import write_sample

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_TFX = Path(sys.executable).with_name("tfx")
_QUICK = """
[data]
partitions = 1
[train]
epochs = 1
seeds = 1
refit = false
[gate]
top_100_accuracy_min = 0.0
rmse_max = 5.0
"""


# A newcomer's shell: without what the tests themselves set for TensorFlow.
_SHELL = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}


def _tfx(environment: dict[str, str], *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    run = subprocess.run(
        [str(_TFX), *arguments, "--engine", "local"],
        env={**_SHELL, **environment},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in codes, run.stdout + run.stderr
    return run.stdout


def test_tfx_creates_and_runs_the_pipeline(tmp_path: Path) -> None:
    config = tmp_path / "quick.toml"
    config.write_text(_QUICK, encoding="utf-8")
    data = write_sample(tmp_path / "data", users=60, movies=150, ratings=2_000)
    output = tmp_path / "output"
    environment = {
        "LOCAL_HOME": str(tmp_path / "home"),
        "REELFLOW_CONFIG": str(config),
        "REELFLOW_DATA": str(data),
        "REELFLOW_OUTPUT": str(output),
    }
    runner = str(_ROOT / "pipeline" / "local_runner.py")
    out = _tfx(environment, "pipeline", "create", "--pipeline_path", runner)
    assert 'Pipeline "reelflow" created successfully.' in out
    assert not (output / "runs").exists()

    # One epoch on few ratings may be refused, which is 1 to the `tfx` command.
    out = _tfx(environment, "run", "create", "--pipeline_name", "reelflow", codes=(0, 1))
    summary = json.loads((output / "latest" / "summary.json").read_text(encoding="utf-8"))
    assert summary["error"] is None
    assert ("Pushed: " in out) is (summary["pushed"] is not None)
    assert ("Refused: " in out) is (summary["pushed"] is None)
    assert summary["data"]["synthetic"] is True
    assert summary["data"]["rows"] == 2_000
    assert 0 < summary["metrics"]["unseen"]["top_100"] <= 1
    assert summary["gate"]["reasons"] is not None
    assert (summary["pushed"] is not None) == summary["gate"]["blessed"]
