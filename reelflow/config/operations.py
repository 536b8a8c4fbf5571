"""The sections `gate`, `push`, `registry`, `beam` and `kubeflow`."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from reelflow.config.data import Section, Share

BASELINES: Final = (
    "popularity",
    "recent_popularity",
    "item_knn",
    "ease",
    "recency_ease",
    "directed",
    "position_knn",
    "ials",
    "biased_mf",
)
"""Names of the baselines in `reelflow.baselines`, which is too heavy to import here."""


def unknown_baseline(name: str) -> str:
    """Describe the mistake in a baseline's name."""
    close = difflib.get_close_matches(name, BASELINES, n=1)
    hint = f"the nearest is {close[0]}" if close else f"there are {', '.join(BASELINES)}"
    return f"there is no baseline {name!r}; {hint}"


def _check_baselines(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in BASELINES:
            raise ValueError(f"gate.baselines: {unknown_baseline(name)}")
    return names


class GateConfig(Section):
    """The bounds that a model must keep to be pushed.

    Against champion and `baselines` the end of a 95 % interval decides: of the difference on the
    same test rows, paired by user.
    """

    protocol: Literal["raw", "unseen", "liked"] = "unseen"
    """Ranks that the accuracy bounds look at: seen movies kept (`raw`) or masked (`unseen`), or
    masked and over liked test ratings alone (`liked`)."""
    top_100_accuracy_min: Share = 0.05
    """Top-100 accuracy, at least."""
    rmse_max: Annotated[float, Field(gt=0)] | None = None
    """RMSE of predicted ratings, in stars, at most; none means relative to mean plus damped biases
    (`rmse_biases_margin`), so that no scale is assumed."""
    rmse_biases_margin: Annotated[float, Field(ge=0)] = 0.05
    """Share by which RMSE may be above that of mean plus damped biases of users and movies, learned
    from the same ratings; if `rmse_max` is none."""
    top_100_accuracy_margin: Share = 0.02
    """Distance that top-100 accuracy may fall below the champion's."""
    rmse_margin: Annotated[float, Field(ge=0)] = 0.01
    """Share by which RMSE may rise above the champion's."""
    baselines: Annotated[tuple[str, ...], AfterValidator(_check_baselines)] = ("popularity",)
    """Baselines whose top-100 accuracy the model must beat: popularity, recent_popularity,
    item_knn, ease, ials, biased_mf."""
    baseline_margin: Share = 0.0
    """Lead of the model's top-100 accuracy over every baseline's, at least."""
    max_shared_pairs: Share = 0.01
    """Share of test rows whose user has rated the same movie in train, at most."""
    untrained_tasks: bool = False
    """Hold a model to the bounds of a task that it was not trained on, too."""
    max_test_rows: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Rows of the test split to evaluate, at most, sampled by seed; the report states it."""


class PushConfig(Section):
    """The serving folder of blessed models."""

    directory: str | None = None
    """Serving folder; none means `serving/reelflow` inside the output folder."""
    latency_ms_max: Annotated[float, Field(gt=0)] = 1_000.0
    """Median latency of one recommendation request that ServingCheck accepts, in milliseconds."""
    recall_min: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Share of the 100 best movies that lists must have, which ServingCheck measures where they are
    searched approximately (`model.approximate_from`)."""
    keep: Annotated[int, Field(ge=1)] = 10
    """Versions to keep in the serving folder; older ones are removed after a push."""
    readers: Literal["owner", "group", "all"] = "owner"
    """Accounts that may read pushed models, which hold what users have rated: the one that runs
    Reelflow, those of the serving folder's group too, or all of the machine."""


class KeepConfig(Section):
    """Retention of older runs; the rest is removed after each run, and by `reelflow clean`.

    The model that serves, versions with an alias or a pin in the registry, and all that the kept
    runs have read or written stay in any case.
    """

    runs: Annotated[int, Field(ge=1)] = 100
    """Folders of runs, with report, summary and log."""
    artifacts: Annotated[int, Field(ge=1)] = 5
    """Runs whose artifacts are kept, for the cache: encoded ratings, statistics, models."""
    versions: Annotated[int, Field(ge=1)] = 20
    """Versions in the registry, the newest; of older ones metrics and settings stay, without model
    and report."""
    champions: Annotated[int, Field(ge=2)] = 5
    """Champions, the present one included, that can be rolled back to however old they are."""


def _check_uri(uri: str | None) -> str | None:
    if uri is None:
        return None
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://.+", uri):
        raise ValueError("a registry is named by its URI, as https://HOST or sqlite:////FILE")
    if urlsplit(uri).password is not None:
        raise ValueError(
            "no password belongs into a configuration: leave registry.uri out and set "
            "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return uri


class RegistryConfig(Section):
    """The MLflow Model Registry, whose champion every new model is held against."""

    uri: Annotated[str | None, AfterValidator(_check_uri)] = None
    """URI of an MLflow tracking server, or of a database as `sqlite:////srv/mlflow.db`; none means
    the environment's MLFLOW_TRACKING_URI, or else a file inside the output folder. Credentials are
    MLflow's own environment variables."""
    name: Annotated[str, Field(pattern=r"^[^/:@%\"']+$", max_length=200)] = "reelflow"
    """The registered model."""
    promote: bool | Literal["canary", "shadow"] = True
    """Push a model that passes the gate and make it champion; false registers it as challenger, and
    `reelflow models promote challenger` lets it serve. With `canary` it serves a share of the
    users, with `shadow` it is asked too and only compared, until it is promoted or demoted."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the users that a canary serves, or whose requests a shadow gets as well."""

    @property
    def role(self) -> str:
        """Role of a model that passes: `champion`, `canary`, `shadow`; empty if it waits."""
        if isinstance(self.promote, bool):
            return "champion" if self.promote else ""
        return self.promote


_CLUSTER = ("master", "job_endpoint", "job_server_jar")
_WORKERS = ("worker_command", "worker_pool", "container")
# The keys that each engine uses, beside `preset` and `args`.
_USED = {
    "direct": (),
    "flink": (*_CLUSTER, "flink_version", "parallelism", *_WORKERS),
    "spark": (*_CLUSTER, *_WORKERS),
    "dataflow": ("project", "region", "temp_location", "container", "parallelism"),
}
_NEEDED = {"dataflow": ("project", "region", "temp_location", "container")}


class BeamConfig(Section):
    """Engine of the steps that Beam runs: ExampleGen, the statistics and Transform."""

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
        changed = [key for key in default if getattr(self, key) != default[key].default]
        engine = f"beam.preset = {self.preset!r}"
        for key in changed:
            if key not in ("preset", "args", *_USED[self.preset]):
                fitting = [name for name, used in _USED.items() if key in used]
                raise ValueError(f"beam.{key} is for {' and '.join(fitting)}, but {engine}")
        missing = [key for key in _NEEDED.get(self.preset, ()) if key not in changed]
        if missing:
            raise ValueError(f"{engine} needs {' and '.join(f'beam.{key}' for key in missing)}")
        if self.preset in ("flink", "spark") and not self.master and not self.job_endpoint:
            raise ValueError(f"{engine} needs beam.master, or beam.job_endpoint")
        for one, other in (("master", "job_endpoint"), ("job_server_jar", "job_endpoint")):
            if one in changed and other in changed:
                raise ValueError(f"beam.{one} and beam.{other} exclude each other")
        for key in ("job_endpoint", "worker_pool"):
            value = getattr(self, key)
            if value is not None and not re.fullmatch(r"[^\s/]+:\d+", value):
                raise ValueError(f"beam.{key} = {value!r} is not of the form host:port")
        bucket = self.temp_location
        if bucket is not None and not bucket.startswith("gs://"):
            raise ValueError(f"beam.temp_location = {bucket!r} must be in a gs:// bucket")
        workers = [f"beam.{key}" for key in _WORKERS if key in changed]
        if len(workers) > 1:
            raise ValueError(f"{' and '.join(workers)} exclude each other")
        return self


Cpu = Annotated[float, Field(gt=0)]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?([EPTGMK]i?)?$")]
Retries = Annotated[int, Field(ge=0)]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[-._a-zA-Z0-9]+$")]
MountPath = Annotated[str, Field(pattern=r"^/.")]


class TaskConfig(Section):
    """Resources of one component's task; keys that are not set are as in `[kubeflow]`."""

    cpu: Cpu | None = None
    """Processors, as request and as limit."""
    memory: Memory | None = None
    """Memory as Kubernetes writes it, as request and as limit."""
    accelerator: str | None = None
    """Kind of accelerator, as the cluster names it."""
    accelerators: Annotated[int, Field(ge=1)] | None = None
    """Number of accelerators."""
    retries: Retries | None = None
    """Restarts of a task that fails, at most."""


class KubeflowConfig(Section):
    """The tasks of a run on Kubeflow Pipelines; `reelflow run` does not use it."""

    image: str = "reelflow:latest"
    """Image of every task, with tag or digest; kubeflow/Dockerfile makes it."""
    output: MountPath = "/reelflow"
    """Output folder inside the containers; it has to lie on a volume that all tasks share."""
    volumes: dict[str, MountPath] = Field(default={"reelflow": "/reelflow"})
    """Persistent volume claims, and where every task mounts them."""
    metadata_secret: str = "reelflow-metadata"
    """Secret with `host`, `port`, `database`, `user` and `password` of the metadata's MySQL."""
    secrets: dict[str, SecretKey] = Field(
        default={"MLFLOW_TRACKING_URI": "reelflow-registry/tracking-uri"}
    )
    """Environment variables of every task, each with the `secret/key` that holds its value."""
    cpu: Cpu = 1.0
    """Processors of a task, as request and as limit."""
    memory: Memory = "4Gi"
    """Memory of a task as Kubernetes writes it, as request and as limit."""
    accelerator: str | None = None
    """Kind of accelerator of every task, as the cluster names it (`nvidia.com/gpu`)."""
    accelerators: Annotated[int, Field(ge=1)] = 1
    """Number of accelerators of a task, if `accelerator` is set."""
    retries: Retries = 2
    """Restarts of a task that fails, at most."""
    components: dict[str, TaskConfig] = Field(
        default={
            "Trainer": TaskConfig(cpu=2.0, memory="8Gi"),
            "Tuner": TaskConfig(cpu=2.0, memory="8Gi"),
        }
    )
    """Components that need other than that: `Trainer = { cpu = 4, memory = "16Gi" }`."""

    def task(self, component: str) -> TaskConfig:
        """Return the resources of a component's task, every default filled in."""
        own = self.components.get(component, TaskConfig()).model_dump(exclude_none=True)
        common = self.model_dump(include=set(TaskConfig.model_fields))
        return TaskConfig.model_validate({**common, **own})
