"""The fresh process, and the verdict on what it found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reelflow.saved_model import probe
from reelflow.saved_model.files import GOLDEN, ServingResult
from reelflow.saved_model.golden import read, write
from reelflow.saved_model.manifest import MANIFEST, write_manifest
from reelflow.saved_model.probe import check, judge

REPORT = ServingResult(latency_ms={"median": 2.0, "p95": 3.0}, load_seconds=0.5, golden=6)


def test_the_latency_bound_is_inclusive() -> None:
    assert judge(REPORT, 2.0, 0.95).blessed
    (reason,) = judge(REPORT, 1.5, 0.95).reasons
    assert reason == "a recommendation takes 2.0 ms (median), push.latency_ms_max allows 1.5 ms"


def test_approximate_lists_must_have_most_of_the_exact_ones() -> None:
    found = REPORT.model_copy(update={"recall": 0.95})
    assert judge(found, 2.0, 0.95).blessed
    (reason,) = judge(found, 2.0, 0.96).reasons
    assert reason == (
        "approximate lists of 100 have 0.950 of the exact ones, push.recall_min asks for 0.96"
    )


def test_reasons_json(tmp_path: Path) -> None:
    result = judge(REPORT.model_copy(update={"reasons": ("no",), "latency_ms": {}}), 1.0, 0.95)
    result.write(tmp_path)
    assert ServingResult.read(tmp_path) == result
    assert json.loads((tmp_path / "reasons.json").read_text()) == {
        "blessed": False,
        "reasons": ["no"],
        "latency_ms": {},
        "load_seconds": 0.5,
        "golden": 6,
        "recall": None,
    }


def test_probe_of_a_good_model(exported: Path) -> None:
    report = probe.probe(exported)
    assert report.reasons == ()
    assert report.golden == 6
    assert 0 < report.latency_ms["median"] <= report.latency_ms["p95"]


def test_probe_tells_answers_that_differ_from_training(exported: Path, tmp_path: Path) -> None:
    model = shutil.copytree(exported, tmp_path / "model")
    golden = read(model / GOLDEN)
    golden[3].outputs["rating"][0] += 0.1
    write(model / GOLDEN, golden)
    write_manifest(model)
    (reason,) = probe.probe(model).reasons
    assert reason.startswith("golden request 4: rate: rating[0] is")


def test_probe_needs_a_golden_request_of_a_known_user(exported: Path, tmp_path: Path) -> None:
    model = shutil.copytree(exported, tmp_path / "model")
    write(model / GOLDEN, read(model / GOLDEN)[3:])
    write_manifest(model)
    report = probe.probe(model)
    assert "no request of a known user" in report.reasons[0]
    assert report.latency_ms == {}


def test_probe_tells_a_missing_signature(tmp_path: Path) -> None:
    from tests import tiny_model

    model = tiny_model.TinyModel()
    fewer = {name: f for name, f in model.signatures().items() if name != "similar"}
    tiny_model.export(tmp_path, model, fewer)
    assert probe.probe(tmp_path).reasons == ("signature similar is missing",)


@pytest.mark.slow
def test_a_fresh_process_blesses_a_good_model(exported: Path) -> None:
    result = check(exported, latency_ms_max=10_000, recall_min=0.9, timeout_seconds=120)
    assert result.reasons == ()
    assert result.latency_ms["median"] > 0


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_refused(exported: Path, tmp_path: Path) -> None:
    model = shutil.copytree(exported, tmp_path / "model")
    shutil.rmtree(model / "variables")
    (reason,) = check(model, latency_ms_max=10_000, recall_min=0.9, timeout_seconds=120).reasons
    assert "variables.data-00000-of-00001 is missing" in reason
    (model / MANIFEST).unlink()
    (reason,) = check(model, latency_ms_max=10_000, recall_min=0.9, timeout_seconds=120).reasons
    assert reason.startswith("the model cannot be loaded and questioned on its own:\n")


def test_a_model_that_hangs_is_refused(exported: Path) -> None:
    (reason,) = check(exported, latency_ms_max=1, recall_min=0.9, timeout_seconds=0.01).reasons
    assert reason == "the model did not answer within 0.01 seconds"


@pytest.mark.slow
def test_the_probe_does_not_outlive_who_asked_for_it(exported: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "reelflow.saved_model.probe", exported, tmp_path],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "REELFLOW_PROBE_PARENT": str(2**22)},  # gone, and another's child now
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_probe_imports_neither_tfx_nor_beam() -> None:
    code = (
        "import sys, reelflow.saved_model.probe; "
        "print([m for m in ('tfx', 'apache_beam', 'tensorflow_transform') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("reasons", [(), ("too slow",)])
def test_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reasons: tuple[str, ...]
) -> None:
    from tfx.components.util import model_utils
    from tfx.types import channel, standard_artifacts

    from components import serving_check
    from components.serving_check import ServingCheck

    asked: dict[str, Any] = {}

    def judged(model_dir: Path, **options: float) -> ServingResult:
        asked.update(options, model_dir=model_dir)
        return ServingResult(reasons=reasons)

    monkeypatch.setattr(serving_check, "check", judged)
    model: Any = standard_artifacts.Model()
    model.uri = str(tmp_path)
    blessing: Any = standard_artifacts.InfraBlessing()
    blessing.uri = str(tmp_path / "blessing")
    channel_ = channel.Channel(type=standard_artifacts.Model)
    node = ServingCheck(model=channel_, latency_ms_max=5.0, recall_min=0.9)
    node.executor_spec.executor_class().Do(
        {"model": [model]}, {"blessing": [blessing]}, node.exec_properties
    )
    assert asked == {
        "model_dir": tmp_path / "Format-Serving",
        "latency_ms_max": 5.0,
        "recall_min": 0.9,
        "timeout_seconds": 600.0,
    }
    blessed = not reasons
    assert model_utils.is_infra_validated(blessing) is blessed
    assert (tmp_path / "blessing/INFRA_BLESSED").exists() is blessed
    assert (tmp_path / "blessing/INFRA_NOT_BLESSED").exists() is not blessed
    written = json.loads((tmp_path / "blessing/reasons.json").read_text())
    assert written["reasons"] == list(reasons)
