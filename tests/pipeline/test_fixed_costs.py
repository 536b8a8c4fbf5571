"""A run's process has not loaded what it does not use, and misses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from pipeline import fixed_costs
from reelflow.config import BeamConfig

RUN = """
import sys
from pipeline import fixed_costs
from reelflow.config import BeamConfig

assert fixed_costs.import_lightly(BeamConfig())
import pipeline.definition
from pipeline.runs import finish, launcher, promotion

print(*sys.modules)
import tfx.components
from tfx import v1 as tfx
from tfx.v1.components import CsvExampleGen

assert CsvExampleGen is tfx.components.CsvExampleGen
assert tfx.orchestration.LocalDagRunner.__name__ == "LocalDagRunner"
assert not hasattr(tfx.components, "NoSuchComponent")
try:
    from google.cloud import bigquery
except ImportError as error:
    print(error)
"""
UNUSED = (
    *("google.cloud.aiplatform", "google.cloud.bigquery", "google.cloud.pubsub", "kfp"),
    *("kubernetes", "keras", "keras_tuner", "IPython"),
)


def test_a_run_loads_neither_clients_of_clouds_nor_keras_3() -> None:
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, words = done.stdout.splitlines()[-2:]
    assert not {*UNUSED} & {*loaded.split()}
    assert {"tensorflow", "apache_beam", "tensorflow_transform"} <= {*loaded.split()}
    assert words.startswith("google.cloud.bigquery is not loaded: a run with beam.preset")


def test_other_engines_import_everything() -> None:
    before = [*sys.meta_path]
    assert not fixed_costs.import_lightly(BeamConfig(preset="flink", master="flink:8081"))
    assert not fixed_costs.import_lightly(BeamConfig(args=["--runner=PrismRunner"]))
    assert sys.meta_path == before


def test_a_lazy_package_runs_its_own_code_and_imports_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lazyone"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import json\n"
        "from os import sep\n"
        "mended = json.loads('[1]')\n"
        "try:\n    from lazyone.part import Thing as Other\nexcept ImportError:\n    Other = None\n"
        "from lazyone import part, missing\n"
    )
    (folder / "part.py").write_text("Thing = 'a thing'\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = PathFinder.find_spec("lazyone")
    assert spec is not None
    spec.loader = fixed_costs.LazyPackage("lazyone", str(folder / "__init__.py"))
    package = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "lazyone", package)
    spec.loader.exec_module(package)
    assert package.mended == [1]
    assert package.sep == os.sep
    assert "lazyone.part" not in sys.modules
    assert package.Other == "a thing"
    assert package.part is sys.modules["lazyone.part"]
    with pytest.raises(AttributeError, match="missing"):
        _ = package.missing


def test_each_function_is_inspected_once_and_bound_methods_apart() -> None:
    asked = []

    def inspect(function: Any) -> tuple[list[str], list[Any]]:
        asked.append(function)
        return [*signature(function).parameters], []

    class Step:
        def process(self, element: int) -> None: ...

    remembered = fixed_costs.once_a_function(inspect)
    for _ in range(2):
        assert remembered(Step().process) == (["element"], [])
        assert remembered(Step.process) == (["self", "element"], [])
        assert remembered(partial(Step.process, element=1))[0][0] == "self"  # no function
    assert len(asked) == 4
