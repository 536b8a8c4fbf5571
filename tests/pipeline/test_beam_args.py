"""Arguments of every engine: Beam knows them all, and what an engine needs is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, TestOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import create_runner

from pipeline.beam_args import WORKER, beam_args, check_reach
from reelflow.base.errors import BadInput
from reelflow.config import BeamConfig, loading

DATAFLOW = {
    "preset": "dataflow",
    "project": "movies-1234",
    "region": "europe-west1",
    "temp_location": "gs://films/tmp",
    "container": "europe-docker.pkg.dev/films-1234/reelflow/beam:1",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "direct": {},
    "flink": {"preset": "flink", "master": "flink:8081", "parallelism": 6},
    "flink, worker pool": {
        "preset": "flink",
        "master": "flink:8081",
        "flink_version": "1.19",
        "job_server_jar": "/opt/beam/job-server.jar",
        "worker_pool": "localhost:50000",
    },
    "flink, job server": {"preset": "flink", "job_endpoint": "flink:8099", "container": "x/y:1"},
    "spark": {"preset": "spark", "master": "spark://spark:7077"},
    "spark, job server": {"preset": "spark", "job_endpoint": "spark:8099"},
    "dataflow": {**DATAFLOW, "parallelism": 20},
    "more": {"args": ("--direct_num_workers=2", "--direct_running_mode=multi_threading")},
}


def _options(settings: dict[str, Any]) -> PipelineOptions:
    return PipelineOptions(beam_args(BeamConfig(**settings)))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_beam_knows_every_argument(settings: dict[str, Any]) -> None:
    known = PipelineOptions([]).get_all_options()
    parsed = _options(settings).get_all_options(retain_unknown_options=True)
    assert set(parsed) <= set(known)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_beam_finds_nothing_wrong(settings: dict[str, Any]) -> None:
    options = _options(settings)
    options.view_as(TestOptions).dry_run = True  # Google Cloud is not asked about the bucket
    runner = create_runner(options.get_all_options()["runner"])
    assert PipelineOptionsValidator(options, runner).validate() == []


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_what_is_written_can_be_read_back(settings: dict[str, Any]) -> None:
    config = BeamConfig(**settings)
    assert BeamConfig.model_validate_json(config.model_dump_json()) == config


def test_flink_gets_what_was_set() -> None:
    parsed = _options(SETTINGS["flink"]).get_all_options()
    assert parsed["flink_master"] == "flink:8081"
    assert parsed["parallelism"] == 6
    assert parsed["environment_type"] == "PROCESS"
    assert json.loads(parsed["environment_config"])["command"].endswith(f"/{WORKER}")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_tfx_packages_nothing(settings: dict[str, Any]) -> None:
    """It would build a source distribution of itself for every component."""
    assert _options(settings).get_all_options()["sdk_container_image"]


def test_own_arguments_win() -> None:
    settings = {**SETTINGS["flink"], "args": ("--parallelism=9", "--flink_version=2.0")}
    parsed = _options(settings).get_all_options()
    assert (parsed["parallelism"], parsed["flink_version"]) == (9, "2.0")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "flink"}, "needs beam.master, or beam.job_endpoint"),
        ({"preset": "spark"}, "needs beam.master, or beam.job_endpoint"),
        (
            {"preset": "dataflow", "project": "p"},
            "needs beam.region and beam.temp_location and beam.container",
        ),
        ({**DATAFLOW, "master": "x:1"}, "beam.master is for flink and spark, but beam.preset"),
        ({**DATAFLOW, "temp_location": "/tmp"}, "temp_location = '/tmp' must be in a gs:// bucket"),
        (
            {"preset": "flink", "job_endpoint": "x"},
            "'x' is not of the form host:port",
        ),
        ({"parallelism": 3}, "beam.parallelism is for flink and dataflow, but beam.preset"),
        (
            {"preset": "flink", "master": "x:1", "job_endpoint": "x:2"},
            "beam.master and beam.job_endpoint exclude each other",
        ),
        (
            {"preset": "spark", "master": "spark://x:1", "container": "c", "worker_pool": "x:1"},
            "beam.worker_pool and beam.container exclude each other",
        ),
    ],
)
def test_what_is_missing_or_of_no_use_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BeamConfig(**settings)


def test_a_user_is_told_in_a_line() -> None:
    with pytest.raises(BadInput, match=r"^--set: beam.preset = 'flink' needs") as told:
        loading.load(None, ["beam.preset=flink"])
    assert len(told.value.message.splitlines()) == 1


def test_dataflow_cannot_reach_this_machine() -> None:
    config = BeamConfig(**DATAFLOW)
    check_reach(config, "gs://films/ratings", "gs://films/output")
    check_reach(BeamConfig(), "/films/ratings")
    with pytest.raises(BadInput, match="cannot reach /films/output"):
        check_reach(config, "gs://films/ratings", "/films/output")


def test_the_engine_is_no_part_of_the_configuration_s_hash() -> None:
    here = loading.load(None, [])
    there = loading.load(None, ["beam.preset=flink", "beam.master=flink:8081"])
    assert loading.config_hash(here) == loading.config_hash(there)
