"""Report: one page and a model card of every run."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec

from components.artifacts import Drift, Quarantine
from components.artifacts import Report as ReportArtifact
from components.report import executor


class ReportSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar[dict[str, Any]] = {}
    INPUTS: ClassVar = {
        executor.QUARANTINE: ChannelParameter(type=Quarantine),
        executor.STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        executor.RATINGS_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        executor.MOVIES_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        executor.TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        executor.ENCODED: ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL: ChannelParameter(type=standard_artifacts.Model),
        executor.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        executor.MODEL_BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
        executor.INFRA_BLESSING: ChannelParameter(type=standard_artifacts.InfraBlessing),
        executor.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel),
        executor.DRIFT: ChannelParameter(type=Drift, optional=True),
        executor.TUNER_RESULTS: ChannelParameter(
            type=standard_artifacts.TunerResults, optional=True
        ),
    }
    OUTPUTS: ClassVar = {executor.REPORT: ChannelParameter(type=ReportArtifact)}


class Report(base_component.BaseComponent):
    """Draws what the run left, whether the model was pushed or refused.

    The output `report` holds `report.html`, one file that works without a network, and the model
    card as `model_card.md` and `model_card.html`.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

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
            encoded: RatingsEncoder's ratings and films.
            model: the candidate, refused or not.
            evaluation: the Evaluator's `metrics.json`.
            model_blessing: the Evaluator's word.
            infra_blessing: ServingCheck's word.
            pushed_model: Pusher's; says whether anything was pushed.
            tuner_results: the Tuner's `trials.json`, if there was a search.
            drift: SpanDrift's, if the data have spans.
        """
        inputs: dict[str, Any] = {
            executor.QUARANTINE: quarantine,
            executor.STATISTICS: statistics,
            executor.RATINGS_ANOMALIES: ratings_anomalies,
            executor.MOVIES_ANOMALIES: movies_anomalies,
            executor.TRANSFORM_GRAPH: transform_graph,
            executor.ENCODED: encoded,
            executor.MODEL: model,
            executor.EVALUATION: evaluation,
            executor.MODEL_BLESSING: model_blessing,
            executor.INFRA_BLESSING: infra_blessing,
            executor.PUSHED_MODEL: pushed_model,
            executor.REPORT: channel.Channel(type=ReportArtifact),
        }
        if drift is not None:
            inputs[executor.DRIFT] = drift
        if tuner_results is not None:
            inputs[executor.TUNER_RESULTS] = tuner_results
        super().__init__(spec=ReportSpec(**inputs))
