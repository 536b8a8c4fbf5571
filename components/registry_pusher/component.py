"""RegistryPusher: every model that earned it, in the MLflow Model Registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import Quarantine, Registration
from components.artifacts import Report as ReportArtifact
from components.registry_pusher import executor
from components.registry_resolver.executor import FILE, NAME, URI
from pipeline.config import RegistryConfig


class RegistryPusherSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        URI: ExecutionParameter(type=str),
        FILE: ExecutionParameter(type=str),
        NAME: ExecutionParameter(type=str),
        executor.CONFIG: ExecutionParameter(type=str),
        executor.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        executor.QUARANTINE: ChannelParameter(type=Quarantine),
        executor.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        executor.MODEL_BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        executor.INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing),
        executor.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel),
        executor.REPORT: ChannelParameter(type=ReportArtifact),
    }
    OUTPUTS: ClassVar = {executor.REGISTRATION: ChannelParameter(type=Registration)}


class RegistryPusher(base_component.BaseComponent):
    """Registers a pushed model as champion.

    One that passed and waits to be promoted, or that only the champion surpasses, is challenger.
    Any other model is not registered. A model that the registry has already, byte for byte, gets no
    second version. The output `registration` says what was done.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        quarantine: channel.BaseChannel,
        evaluation: channel.BaseChannel,
        model_blessing: channel.BaseChannel,
        infra_blessing: channel.BaseChannel,
        pushed_model: channel.BaseChannel,
        report: channel.BaseChannel,
        registry: RegistryConfig,
        file: str,
        config: Mapping[str, Any],
        code: str,
    ) -> None:
        """Describe the node.

        Args:
            model: the candidate.
            transform_graph: for the hashes of the vocabularies.
            quarantine: ExampleGen's Quarantine, for the hash of the data.
            evaluation: the Evaluator's `metrics.json`.
            model_blessing: the Evaluator's word.
            infra_blessing: ServingCheck's word.
            pushed_model: Pusher's; says whether anything was pushed.
            report: the page and the model card.
            registry: the registry and the name in it.
            file: the sqlite file that is the registry if nobody names another.
            config: what decided how the model came out, as nested mappings.
            code: hash of the source.
        """
        spec = RegistryPusherSpec(
            model=model,
            transform_graph=transform_graph,
            quarantine=quarantine,
            evaluation=evaluation,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            pushed_model=pushed_model,
            report=report,
            uri=registry.uri or "",
            file=file,
            name=registry.name,
            config=json.dumps(config, sort_keys=True),
            code=code,
            registration=channel.Channel(type=Registration),
        )
        super().__init__(spec=spec)
