"""RegistryPusher: registers a pushed model as champion in the MLflow Model Registry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import tensorflow_transform as tft
from absl import logging
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components import artifacts
from components.registry_resolver import FILE, NAME, URI
from reelflow.base import columns as f
from reelflow.config import RegistryConfig
from reelflow.data.ingest.results import IngestSummary
from reelflow.evaluation.results import Results
from reelflow.registry.registration import Candidate, Registration, register_candidate
from reelflow.registry.store import Registry, address
from reelflow.saved_model.files import ServingResult

REGISTRATION: Final = "registration"
CONFIG: Final = "config"
CODE: Final = "code"


class Executor(BaseExecutor):
    """Registers the model, with the id of the run, which no function component knows."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Register the model, or write down that it was not registered.

        Raises:
            NoAnswer: the registry cannot be asked; says what the serving folder holds meanwhile.
        """
        inputs = {name: artifact for name, [artifact] in input_dict.items()}
        [output] = output_dict[REGISTRATION]
        uri = address(exec_properties[URI] or None, Path(exec_properties[FILE]))
        candidate = read_candidate(
            **inputs,
            config=json.loads(exec_properties[CONFIG]),
            code=exec_properties[CODE],
            run_id=str((self._context and self._context.pipeline_run_id) or ""),
        )
        registration = register_candidate(Registry(uri, exec_properties[NAME]), candidate)
        output.set_int_custom_property("version", registration.version or 0)
        path = os.path.join(output.uri, Registration.FILE)
        io_utils.write_string_file(path, registration.as_json())
        logging.info("%s", registration)


def read_candidate(
    *,
    model: Artifact,
    transform_graph: Artifact,
    quarantine: Artifact,
    evaluation: Artifact,
    model_blessing: Artifact,
    infra_blessing: Artifact,
    pushed_model: Artifact,
    report: Artifact,
    config: Mapping[str, Any],
    code: str,
    run_id: str,
) -> Candidate:
    """Read what the artifacts of the run say of its model; see `RegistryPusher`."""
    transform = tft.TFTransformOutput(transform_graph.uri)
    version = pushed_model.get_string_custom_property("pushed_version")
    return Candidate(
        saved_model=artifacts.saved_model(model),
        data=IngestSummary.read(quarantine.uri),
        results=Results.read(Path(evaluation.uri)),
        serving=ServingResult.read(Path(infra_blessing.uri)),
        blessed=all(map(artifacts.is_blessed, (model_blessing, infra_blessing))),
        pushed_version=version or None,
        variant=pushed_model.get_string_custom_property("variant") or None,
        share=pushed_model.get_float_custom_property("share"),
        user_vocabulary=Path(transform.vocabulary_file_by_name(f.USER_VOCABULARY)),
        movie_vocabulary=Path(transform.vocabulary_file_by_name(f.MOVIE_VOCABULARY)),
        config=config,
        code=code,
        run_id=run_id,
        files=sorted(path for path in Path(report.uri).iterdir() if path.is_file()),
    )


class RegistryPusherSpec(ComponentSpec):
    """Inputs, outputs and parameters."""

    PARAMETERS: ClassVar = {
        name: ExecutionParameter(type=str) for name in (URI, FILE, NAME, CONFIG, CODE)
    }
    INPUTS: ClassVar = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
        "quarantine": ChannelParameter(type=artifacts.Quarantine),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
        "report": ChannelParameter(type=artifacts.Report),
    }
    OUTPUTS: ClassVar = {REGISTRATION: ChannelParameter(type=artifacts.Registration)}


class RegistryPusher(BaseComponent):
    """Registers a pushed model as champion.

    A model on trial gets the alias of its trial. One that passed and waits to be promoted, or that
    breaks the champion's bounds only, becomes challenger. Any other model is not registered. The
    output `registration` says what was done.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        registry: RegistryConfig,
        file: str,
        config: Mapping[str, Any],
        code: str,
        **inputs: BaseChannel,
    ) -> None:
        """Describe the node.

        Args:
            registry: the registry and the name in it.
            file: the sqlite file that is the registry if no other is named.
            config: the part of the configuration that the model depends on, as nested mappings.
            code: hash of the source.
            inputs: `model`, `transform_graph` (for the vocabularies' hashes), `quarantine` (for the
                data's hash), `evaluation`, `model_blessing`, `infra_blessing`, `pushed_model` and
                `report`.
        """
        spec = RegistryPusherSpec(
            **inputs,
            uri=registry.uri or "",
            file=file,
            name=registry.name,
            config=json.dumps(config, sort_keys=True),
            code=code,
            registration=Channel(type=artifacts.Registration),
        )
        super().__init__(spec=spec)
