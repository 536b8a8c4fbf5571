"""The configuration's section `beam` as Beam's own pipeline arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from reelflow.base.errors import BadInput
from reelflow.config import BeamConfig
from reelflow.data.files import is_remote

WORKER = "reelflow-beam-worker"

DIRECT = (
    # Named in full, because "DirectRunner" first tries to download another runner.
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    # Workers share this process: TFX need not package itself for each component.
    "--sdk_container_image=none",
)

# Java 17 closes what Flink, Spark and Beam reach into by reflection.
_JAVA_OPENS = ("java.lang", "java.lang.invoke", "java.nio", "java.util")
# Milliseconds that a worker is kept from one step to the next: starting one takes longer than most
# steps. Less than an engine waits before it restarts a job: what Transform has cached in a worker
# belongs to one attempt, and its steps of the next one would refuse it.
_KEEP_WORKERS = "--environment_cache_millis=10000"


def beam_args(config: BeamConfig) -> list[str]:
    """Return the arguments for every component that runs on Beam; `config.args` come last and win.

    Args:
        config: has been checked: what its engine needs is there.
    """
    if config.preset == "direct":
        args = [*DIRECT]
    elif config.preset == "dataflow":
        args = [
            "--runner=DataflowRunner",
            *_flag("project", config.project),
            *_flag("region", config.region),
            *_flag("temp_location", config.temp_location),
            *_flag("max_num_workers", config.parallelism),
            *_flag("sdk_container_image", config.container),
        ]
    elif config.preset == "flink":
        args = [
            *_job_server(config, "FlinkRunner", "flink_master", "flink_job_server_jar"),
            f"--flink_version={config.flink_version}",
            *_flag("parallelism", config.parallelism),
            _KEEP_WORKERS,
            *_workers(config),
        ]
    else:
        args = [
            *_job_server(config, "SparkRunner", "spark_master_url", "spark_job_server_jar"),
            _KEEP_WORKERS,
            *_workers(config),
        ]
    return [*args, *config.args]


def check_reach(config: BeamConfig, *folders: str) -> None:
    """Refuse an engine whose machines mount nothing for folders of this machine.

    Raises:
        BadInput: naming the folder.
    """
    for folder in folders:
        if config.preset == "dataflow" and not is_remote(folder):
            raise BadInput(
                f"Dataflow's machines cannot reach {folder}.",
                'Use a bucket (gs://...), or beam.preset = "flink" on machines that mount it.',
            )


def _job_server(config: BeamConfig, runner: str, master: str, jar: str) -> list[str]:
    if config.job_endpoint is not None:
        return ["--runner=PortableRunner", f"--job_endpoint={config.job_endpoint}"]
    opened = (f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _JAVA_OPENS)
    return [
        f"--runner={runner}",
        *_flag(master, config.master),
        *_flag(jar, config.job_server_jar),
        *(f"--job_server_jvm_properties={option}" for option in opened),
    ]


def _workers(config: BeamConfig) -> list[str]:
    if config.container is not None:
        kind, where = "DOCKER", config.container
    elif config.worker_pool is not None:
        kind, where = "EXTERNAL", config.worker_pool
    else:
        beside = Path(sys.executable).with_name(WORKER)
        kind, where = "PROCESS", json.dumps({"command": config.worker_command or str(beside)})
    return [
        f"--environment_type={kind}",
        f"--environment_config={where}",
        # Workers have Reelflow installed: TFX need not package itself for each component.
        f"--sdk_container_image={config.container or 'none'}",
    ]


def _flag(name: str, value: object) -> list[str]:
    return [] if value is None else [f"--{name}={value}"]
