"""A run's process has not loaded what it does not use, and misses nothing."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from inspect import signature
from typing import Any

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
