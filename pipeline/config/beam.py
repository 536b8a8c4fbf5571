"""Where Beam runs: ExampleGen, the statistics and Transform."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section

_WORKERS = ("worker_command", "worker_pool", "container")
# Which keys mean something to which engine, beside `preset` and `args`.
_USED = {
    "direct": (),
    "flink": (
        "master",
        "job_endpoint",
        "job_server_jar",
        "flink_version",
        "parallelism",
        *_WORKERS,
    ),
    "spark": ("master", "job_endpoint", "job_server_jar", *_WORKERS),
    "dataflow": ("project", "region", "temp_location", "container", "parallelism"),
}
_NEEDED = {"dataflow": ("project", "region", "temp_location", "container")}


class BeamConfig(Section):
    """Where Beam runs."""

    preset: Literal["direct", "flink", "spark", "dataflow"] = "direct"
    """Engine: `direct` is this machine; the others are a cluster that shares the output folder."""
    master: str | None = None
    """The cluster: Flink's REST address `host:port`, or Spark's `spark://host:port`."""
    job_endpoint: str | None = None
    """A running Beam job server, `host:port`; none starts one, which hands over to `master`."""
    job_server_jar: str | None = None
    """Beam's job server to start; none lets Beam fetch its own version's from Maven Central."""
    flink_version: Literal["1.17", "1.18", "1.19", "1.20", "2.0"] = "1.20"
    """Version of the Flink cluster, which the job server must match."""
    parallelism: Annotated[int, Field(ge=1)] | None = None
    """Tasks at a time (Flink), machines at most (Dataflow); none leaves it to the engine."""
    worker_command: str | None = None
    """Program on every worker machine that starts a Python worker; none means the
    `reelflow-beam-worker` beside this Python."""
    worker_pool: str | None = None
    """Beam worker pool beside every worker, `host:port`, instead of `worker_command`."""
    container: str | None = None
    """Image that workers run in, instead of `worker_command`: Beam's for Python, with Reelflow."""
    project: str | None = None
    """Google Cloud project (Dataflow)."""
    region: str | None = None
    """Google Cloud region (Dataflow), as `europe-west1`."""
    temp_location: str | None = None
    """Folder for Dataflow's own files, `gs://bucket/folder`."""
    args: tuple[str, ...] = ()
    """Further Beam pipeline arguments, as `--direct_num_workers=1`."""

    @model_validator(mode="after")
    def _settings_fit(self) -> BeamConfig:
        default = type(self).model_fields
        given = [key for key in default if getattr(self, key) != default[key].default]
        engine = f"beam.preset = {self.preset!r}"
        for key in given:
            if key not in ("preset", "args", *_USED[self.preset]):
                fitting = [name for name, used in _USED.items() if key in used]
                raise ValueError(f"beam.{key} is for {' and '.join(fitting)}, but {engine}")
        missing = [key for key in _NEEDED.get(self.preset, ()) if key not in given]
        if missing:
            raise ValueError(f"{engine} needs {' and '.join(f'beam.{key}' for key in missing)}")
        if self.preset in ("flink", "spark") and not self.master and not self.job_endpoint:
            raise ValueError(f"{engine} needs beam.master, or beam.job_endpoint")
        for one, other in (("master", "job_endpoint"), ("job_server_jar", "job_endpoint")):
            if one in given and other in given:
                raise ValueError(f"beam.{one} and beam.{other} exclude each other")
        for key in ("job_endpoint", "worker_pool"):
            value = getattr(self, key)
            if value is not None and not re.fullmatch(r"[^\s/]+:\d+", value):
                raise ValueError(f"beam.{key} = {value!r} is not of the form host:port")
        bucket = self.temp_location
        if bucket is not None and not bucket.startswith("gs://"):
            raise ValueError(f"beam.temp_location = {bucket!r} must be in a gs:// bucket")
        workers = [f"beam.{key}" for key in _WORKERS if key in given]
        if len(workers) > 1:
            raise ValueError(f"{' and '.join(workers)} exclude each other")
        return self
