"""The folder `kubeflow/` beside Kubeflow's own SDK, and its script."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("kfp")

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]

ROOT = Path(__file__).resolve().parents[3]
INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
DISTRIBUTIONS = ["kubeflow", "kubeflow-katib"]
# What both import and Reelflow's own environment lacks; the rest of their needs is there.
NEEDED = ["kubeflow-katib-api", "kubeflow-trainer-api", "kubeflow-training"]
SDK = "import kubeflow.trainer, kubeflow.optimizer, kubeflow.katib"
REELFLOW = (
    "from reelflow.base.environment import prepare; prepare(); "
    "import pipeline.cli.app, pipeline.definition; "
    "import pipeline.kubeflow.package, pipeline.kubeflow.task"
)
LOOK = (
    "from pathlib import Path; "
    "print(Path(kubeflow.__file__).parent); "
    "print(Path(pipeline.kubeflow.__file__).parent); "
    "print(kubeflow.katib.KatibClient.__name__, kubeflow.trainer.TrainerClient.__name__)"
)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Kubeflow's SDK; skips where no package index answers within seconds."""
    try:
        urllib.request.urlopen(f"{INDEX}/{DISTRIBUTIONS[0]}/", timeout=5).close()
    except OSError as error:
        pytest.skip(f"no package index answers: {error}")
    folder = tmp_path_factory.mktemp("sdk")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    pip = [str(folder / "env" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--target", str(folder / "site"), *DISTRIBUTIONS, *NEEDED], check=True
    )
    return folder / "site"


@pytest.mark.parametrize("order", [(SDK, REELFLOW), (REELFLOW, SDK)], ids=["first", "second"])
def test_kubeflows_own_sdk_is_imported_in_either_order(sdk: Path, order: tuple[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "; ".join((*order, LOOK))],
        cwd=ROOT,  # where the folder `kubeflow/` lies
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{sdk}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == [
        str(sdk / "kubeflow"),
        str(ROOT / "pipeline" / "kubeflow"),
        "KatibClient TrainerClient",
    ]


def test_the_script_has_the_commands_options() -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "kubeflow" / "runner.py"), "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "kubeflow compile" in ended.stdout
    assert "--package" in ended.stdout
