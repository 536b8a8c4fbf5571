"""RegistryPusher's artifact I/O."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import tensorflow_transform as tft
from absl import logging
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components.artifacts import Quarantine, Registration, saved_model
from components.artifacts import Report as ReportArtifact
from components.registry_resolver import FILE, NAME, URI
from reelflow.base import columns as f
from reelflow.base.common import content_hash
from reelflow.config import RegistryConfig
from reelflow.data.ingest.results import IngestSummary
from reelflow.evaluation.results import Results
from reelflow.registry import store
from reelflow.registry.package import package
from reelflow.registry.register import (
    CHALLENGER,
    Entry,
    Registrar,
    git_commit,
    metrics_of,
    params_of,
)
from reelflow.registry.store import CHAMPION, NoAnswer, Version, address, shown
from reelflow.saved_model.check import ServingResult

MODEL: Final = "model"
TRANSFORM_GRAPH: Final = "transform_graph"
QUARANTINE: Final = "quarantine"
EVALUATION: Final = "evaluation"
MODEL_BLESSING: Final = "model_blessing"
INFRA_BLESSING: Final = "infra_blessing"
PUSHED_MODEL: Final = "pushed_model"
REPORT: Final = "report"
REGISTRATION: Final = "registration"
CONFIG: Final = "config"
CODE: Final = "code"

REGISTRATION_FILE: Final = "registration.json"


@dataclass(frozen=True)
class _Run:
    """What the artifacts say."""

    saved_model: Path
    results: Results
    check: ServingResult
    pushed_version: str
    """Empty if the model was not pushed."""
    blessed: bool
    """By the gate and by ServingCheck."""

    @property
    def alias(self) -> str | None:
        """What the model is to be: champion, challenger, or nothing."""
        if self.blessed:
            return CHAMPION if self.pushed_version else CHALLENGER
        if self.check.blessed and self.results.gate.only_worse_than_champion:
            return CHALLENGER
        return None


class Executor(base_executor.BaseExecutor):
    """Registers a model that passed, or that only the champion surpasses."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Register the model, or say in the output that it was not registered.

        Raises:
            NoAnswer: the registry cannot be asked; says what the serving folder holds meanwhile.
        """
        run = _read(input_dict)
        uri = address(exec_properties[URI] or None, Path(exec_properties[FILE]))
        registrar = Registrar(uri, exec_properties[NAME])
        said: dict[str, Any] = {"registry": shown(uri), "name": registrar.name, "alias": run.alias}
        version = None
        if run.alias is not None:
            try:
                version = self._register(registrar, run, run.alias, input_dict, exec_properties)
            except NoAnswer as error:
                raise _with_consequences(error, run) from error
            said |= {"version": version.number, "model_hash": version.model_hash}
        registration = artifact_utils.get_single_instance(output_dict[REGISTRATION])
        registration.set_int_custom_property("version", version.number if version else 0)
        path = Path(registration.uri) / REGISTRATION_FILE
        io_utils.write_string_file(str(path), json.dumps(said, indent=2))
        logging.info("Registration: %s", said)

    def _register(
        self,
        registrar: Registrar,
        run: _Run,
        alias: str,
        inputs: dict[str, list[Artifact]],
        properties: dict[str, Any],
    ) -> Version:
        """The model's version, new or found by its hash, with its alias.

        The tag with the pushed version comes last: it says that this push is dealt with, so that a
        later run on the same push leaves the alias where somebody may have moved it.
        """
        model_hash = content_hash(run.saved_model)
        version = registrar.find(model_hash)
        if version is None:
            with tempfile.TemporaryDirectory() as beside:
                folder = Path(beside, MODEL)
                package(run.saved_model, folder)
                entry = _entry(run, folder, model_hash, inputs, properties, self._run_id())
                version = registrar.register(entry)
        if run.blessed:  # whom the gate let pass once keeps that, whoever is better since
            registrar.tag(version.number, _verdict(True, []))
        if alias == CHALLENGER:
            if registrar.aliases().get(CHAMPION) != version.number:
                registrar.challenge(version.number)
        elif version.tags.get(store.PUSHED_VERSION) != run.pushed_version:
            registrar.promote(version.number)
            registrar.tag(version.number, {store.PUSHED_VERSION: run.pushed_version})
        return version

    def _run_id(self) -> str:
        return str((self._context and self._context.pipeline_run_id) or "")


def _read(inputs: dict[str, list[Artifact]]) -> _Run:
    pushed = artifact_utils.get_single_instance(inputs[PUSHED_MODEL])
    yes = [
        artifact_utils.get_single_instance(inputs[key]).get_int_custom_property("blessed") == 1
        for key in (MODEL_BLESSING, INFRA_BLESSING)
    ]
    was_pushed = pushed.get_int_custom_property("pushed") == 1
    return _Run(
        saved_model=saved_model(inputs[MODEL][0]),
        results=Results.read(_folder(inputs, EVALUATION)),
        check=ServingResult.read(_folder(inputs, INFRA_BLESSING)),
        pushed_version=pushed.get_string_custom_property("pushed_version") if was_pushed else "",
        blessed=all(yes),
    )


def _entry(
    run: _Run,
    folder: Path,
    model_hash: str,
    inputs: dict[str, list[Artifact]],
    properties: dict[str, Any],
    run_id: str,
) -> Entry:
    """Metrics, configuration, hashes, report and model card."""
    data, report = IngestSummary.read(_folder(inputs, QUARANTINE)), _folder(inputs, REPORT)
    transform = tft.TFTransformOutput(str(_folder(inputs, TRANSFORM_GRAPH)))
    config: dict[str, Any] = json.loads(properties[CONFIG])
    tags = {
        store.PIPELINE_RUN: run_id,
        store.GIT: git_commit(),
        store.CODE_HASH: properties[CODE],
        store.DATA_HASH: data.data_hash,
        store.USERS_HASH: _vocabulary_hash(transform, f.USER_VOCABULARY),
        store.MOVIES_HASH: _vocabulary_hash(transform, f.MOVIE_VOCABULARY),
        store.ROWS: str(data.rows.train),
        **_verdict(run.blessed, run.results.gate.reasons),
    }
    return Entry(
        model=folder,
        model_hash=model_hash,
        run_name=run_id or model_hash[:12],
        description=f"{data.rows.train:,} train ratings, {data.format}.",
        metrics=metrics_of(run.results, run.check),
        params=params_of(config),
        tags={key: value for key, value in tags.items() if value},
        files=sorted(path for path in report.iterdir() if path.is_file()),
        texts={"config.json": json.dumps(config, indent=2)},
    )


def _verdict(blessed: bool, reasons: list[str]) -> dict[str, str]:
    return {store.BLESSED: "true" if blessed else "false", store.REASONS: "\n".join(reasons)}


def _vocabulary_hash(transform: tft.TFTransformOutput, name: str) -> str:
    return content_hash(Path(transform.vocabulary_file_by_name(name)))


def _with_consequences(error: NoAnswer, run: _Run) -> NoAnswer:
    """Serving folder and registry disagree from here on: that must be said."""
    if not run.pushed_version:
        return error
    return NoAnswer(
        f"{error.message} The serving folder has the new model already, as version "
        f"{run.pushed_version}; the registry's champion is another one, or none.",
        "Run again when the registry answers: all but the registration comes from the cache.",
    )


def _folder(inputs: dict[str, list[Artifact]], key: str) -> Path:
    return Path(artifact_utils.get_single_uri(inputs[key]))


# RegistryPusher: every model that earned it, in the MLflow Model Registry.


class RegistryPusherSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        URI: ExecutionParameter(type=str),
        FILE: ExecutionParameter(type=str),
        NAME: ExecutionParameter(type=str),
        CONFIG: ExecutionParameter(type=str),
        CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        MODEL: ChannelParameter(type=standard_artifacts.Model),
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        QUARANTINE: ChannelParameter(type=Quarantine),
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        MODEL_BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing),
        PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel),
        REPORT: ChannelParameter(type=ReportArtifact),
    }
    OUTPUTS: ClassVar = {REGISTRATION: ChannelParameter(type=Registration)}


class RegistryPusher(base_component.BaseComponent):
    """Registers a pushed model as champion.

    One that passed and waits to be promoted, or that only the champion surpasses, is challenger.
    Any other model is not registered. A model that the registry has already, byte for byte, gets no
    second version. The output `registration` says what was done.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

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
