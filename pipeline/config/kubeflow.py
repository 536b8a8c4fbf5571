"""What each task of a Kubeflow run is given."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.section import Section

Cpu = Annotated[float, Field(gt=0)]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?([EPTGMK]i?)?$")]
Retries = Annotated[int, Field(ge=0)]
SecretKey = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[-._a-zA-Z0-9]+$")]
MountPath = Annotated[str, Field(pattern=r"^/.")]


class TaskConfig(Section):
    """What one component has other than the rest; what is not set is as in `[kubeflow]`."""

    cpu: Cpu | None = None
    """Processors, as request and as limit."""
    memory: Memory | None = None
    """Memory as Kubernetes writes it, as request and as limit."""
    accelerator: str | None = None
    """Kind of accelerator, as the cluster names it."""
    accelerators: Annotated[int, Field(ge=1)] | None = None
    """How many accelerators."""
    retries: Retries | None = None
    """How often a task that fails is started again."""


class KubeflowConfig(Section):
    """What the tasks of a run on Kubeflow Pipelines are given; `reelflow run` has no use for it."""

    image: str = "reelflow:latest"
    """Image of every task, with tag or digest; kubeflow/Dockerfile makes it."""
    output: MountPath = "/reelflow"
    """Output folder inside the containers; it has to lie on a volume that all tasks share."""
    volumes: dict[str, MountPath] = Field(default={"reelflow": "/reelflow"})
    """Persistent volume claims, and where every task finds them."""
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
    """How many accelerators a task has, if `accelerator` is set."""
    retries: Retries = 2
    """How often a task that fails is started again."""
    components: dict[str, TaskConfig] = Field(
        default={
            "Trainer": TaskConfig(cpu=2.0, memory="8Gi"),
            "Tuner": TaskConfig(cpu=2.0, memory="8Gi"),
        }
    )
    """Components that need other than that: `Trainer = { cpu = 4, memory = "16Gi" }`."""

    def task(self, component: str) -> TaskConfig:
        """What a component's task is given, every default filled in."""
        own = self.components.get(component, TaskConfig()).model_dump(exclude_none=True)
        common = self.model_dump(include=set(TaskConfig.model_fields))
        return TaskConfig.model_validate({**common, **own})
