"""Report's artifact I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import tensorflow_transform as tft
from tfx.components.statistics_gen.executor import SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec
from tfx.utils import io_utils, json_utils

from components.artifacts import Drift, Quarantine, saved_model
from components.artifacts import Report as ReportArtifact
from components.data_gate import validated_splits
from reelflow.base import columns as f
from reelflow.data.ingest.gate import split_anomalies
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData
from reelflow.report import card, render
from reelflow.report import render as page
from reelflow.report.inputs import Inputs, Model, read_json
from reelflow.saved_model.files import ModelInfo

QUARANTINE: Final = "quarantine"
STATISTICS: Final = "statistics"
RATINGS_ANOMALIES: Final = "ratings_anomalies"
MOVIES_ANOMALIES: Final = "movies_anomalies"
TRANSFORM_GRAPH: Final = "transform_graph"
ENCODED: Final = "encoded"
MODEL: Final = "model"
EVALUATION: Final = "evaluation"
MODEL_BLESSING: Final = "model_blessing"
INFRA_BLESSING: Final = "infra_blessing"
PUSHED_MODEL: Final = "pushed_model"
TUNER_RESULTS: Final = "tuner_results"
DRIFT: Final = "drift"
REPORT: Final = "report"


class Executor(base_executor.BaseExecutor):
    """Reads the artifacts, writes the page and the model card."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Draw the report."""
        inputs = read_inputs(input_dict)
        folder = artifact_utils.get_single_uri(output_dict[REPORT])
        html = render.page(page.build(inputs, Model(inputs.model)))
        about = card.build(inputs)
        for name, content in (
            (page.REPORT_FILE, html),
            (card.MARKDOWN_FILE, card.as_markdown(about)),
            (card.HTML_FILE, card.as_html(about)),
        ):
            io_utils.write_string_file(os.path.join(folder, name), content)


def read_inputs(artifacts: Mapping[str, list[Artifact]]) -> Inputs:
    """The contents of all artifacts."""
    single = {
        name: artifact_utils.get_single_instance(found)
        for name, found in artifacts.items()
        if found
    }
    folders = {name: Path(artifact.uri) for name, artifact in single.items()}
    model = saved_model(single[MODEL])
    pushed = single[PUSHED_MODEL]
    vocabularies = tft.TFTransformOutput(str(folders[TRANSFORM_GRAPH]))
    trials = folders.get(TUNER_RESULTS)
    return Inputs(
        quarantine=IngestSummary.read(folders[QUARANTINE]),
        sample_rates=_sample_rates(single[STATISTICS]),
        anomalies=[
            str(anomaly)
            for name, key in (("ratings", RATINGS_ANOMALIES), ("movies", MOVIES_ANOMALIES))
            for split in validated_splits(name, single[key])
            for anomaly in split_anomalies(split)
        ],
        data=EncodedData.load(folders[ENCODED]),
        users=[word.decode() for word in vocabularies.vocabulary_by_name(f.USER_VOCABULARY)],
        model=model,
        info=ModelInfo.read(model),
        evaluation=read_json(folders[EVALUATION] / "metrics.json"),
        serving_check=read_json(folders[INFRA_BLESSING] / "reasons.json"),
        blessed=single[MODEL_BLESSING].get_int_custom_property("blessed") == 1,
        pushed=pushed.get_int_custom_property("pushed") == 1,
        version=pushed.get_string_custom_property("pushed_version"),
        trials=None if trials is None else read_json(trials / "trials.json") or None,
        drift=DriftReport.read(folders[DRIFT]) if DRIFT in folders else None,
        artifacts={name: artifact.uri for name, artifact in sorted(single.items())},
    )


def _sample_rates(statistics: Artifact) -> dict[str, float]:
    rates = statistics.get_json_value_custom_property(SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME)
    return {split: float(rate) for split, rate in json_utils.loads(rates or "{}").items()}


# Report: one page and a model card of every run.


class ReportSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar[dict[str, Any]] = {}
    INPUTS: ClassVar = {
        QUARANTINE: ChannelParameter(type=Quarantine),
        STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        RATINGS_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        MOVIES_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        ENCODED: ChannelParameter(type=standard_artifacts.Examples),
        MODEL: ChannelParameter(type=standard_artifacts.Model),
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        MODEL_BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing),
        PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel),
        DRIFT: ChannelParameter(type=Drift, optional=True),
        TUNER_RESULTS: ChannelParameter(type=standard_artifacts.TunerResults, optional=True),
    }
    OUTPUTS: ClassVar = {REPORT: ChannelParameter(type=ReportArtifact)}


class Report(base_component.BaseComponent):
    """Draws what the run left, whether the model was pushed or refused.

    The output `report` holds `report.html`, one file that works without a network, and the model
    card as `model_card.md` and `model_card.html`.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        quarantine: channel.BaseChannel,
        statistics: channel.BaseChannel,
        ratings_anomalies: channel.BaseChannel,
        movies_anomalies: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        encoded: channel.BaseChannel,
        model: channel.BaseChannel,
        evaluation: channel.BaseChannel,
        model_blessing: channel.BaseChannel,
        infra_blessing: channel.BaseChannel,
        pushed_model: channel.BaseChannel,
        tuner_results: channel.BaseChannel | None = None,
        drift: channel.BaseChannel | None = None,
    ) -> None:
        """Describe the node.

        Args:
            quarantine: ExampleGen's Quarantine.
            statistics: ExampleStatistics of the ratings, for the share that was looked at.
            ratings_anomalies: ExampleAnomalies of the `examples` artifact.
            movies_anomalies: ExampleAnomalies of the `catalogue` artifact.
            transform_graph: for the user vocabulary.
            encoded: RatingsEncoder's ratings and movies.
            model: the candidate, refused or not.
            evaluation: the Evaluator's `metrics.json`.
            model_blessing: the Evaluator's word.
            infra_blessing: ServingCheck's word.
            pushed_model: Pusher's; says whether anything was pushed.
            tuner_results: the Tuner's `trials.json`, if there was a search.
            drift: SpanDrift's, if the data have spans.
        """
        inputs: dict[str, Any] = {
            QUARANTINE: quarantine,
            STATISTICS: statistics,
            RATINGS_ANOMALIES: ratings_anomalies,
            MOVIES_ANOMALIES: movies_anomalies,
            TRANSFORM_GRAPH: transform_graph,
            ENCODED: encoded,
            MODEL: model,
            EVALUATION: evaluation,
            MODEL_BLESSING: model_blessing,
            INFRA_BLESSING: infra_blessing,
            PUSHED_MODEL: pushed_model,
            REPORT: channel.Channel(type=ReportArtifact),
        }
        if drift is not None:
            inputs[DRIFT] = drift
        if tuner_results is not None:
            inputs[TUNER_RESULTS] = tuner_results
        super().__init__(spec=ReportSpec(**inputs))
