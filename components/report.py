"""Report: one self-contained page and a model card of every run, pushed or refused."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import tensorflow_transform as tft
from tfx.components.statistics_gen.executor import SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    PushedModel,
    TransformGraph,
    TunerResults,
)
from tfx.utils import json_utils
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, component

from components import artifacts
from components.data_gate import validated_splits
from reelflow.base import columns as f
from reelflow.data import files
from reelflow.data.ingest.gate import split_anomalies
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.results import Results
from reelflow.evaluation.trials import Trials
from reelflow.report import card, page, render
from reelflow.report.inputs import Inputs, Outcome, recommend
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import ModelInfo, ServingResult


@component
def Report(
    quarantine: InputArtifact[artifacts.Quarantine],
    statistics: InputArtifact[ExampleStatistics],
    ratings_anomalies: InputArtifact[ExampleAnomalies],
    movies_anomalies: InputArtifact[ExampleAnomalies],
    transform_graph: InputArtifact[TransformGraph],
    encoded: InputArtifact[Examples],
    model: InputArtifact[Model],
    evaluation: InputArtifact[ModelEvaluation],
    model_blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: InputArtifact[PushedModel],
    report: OutputArtifact[artifacts.Report],
    drift: InputArtifact[artifacts.Drift] = None,
    tuner_results: InputArtifact[TunerResults] = None,
) -> None:
    """Write the report and the model card of a run.

    Args:
        quarantine: ExampleGen's Quarantine.
        statistics: ExampleStatistics of the ratings, for the share of the rows that they read.
        ratings_anomalies: ExampleAnomalies of the `examples` artifact.
        movies_anomalies: ExampleAnomalies of the `catalogue` artifact.
        transform_graph: for the user vocabulary.
        encoded: RatingsEncoder's ratings and movies.
        model: the candidate, refused or not.
        evaluation: the Evaluator's `metrics.json`.
        model_blessing: the Evaluator's decision.
        infra_blessing: ServingCheck's decision.
        pushed_model: Pusher's; tells if anything was pushed.
        report: gets `report.html`, one file that works without a network, and the model card as
            `model_card.md` and `model_card.html`.
        drift: SpanDrift's, if the data have spans.
        tuner_results: the Tuner's `trials.json`, if there was a search.
    """
    # First of all, while the arguments are the only names here.
    uris = {name: one.uri for name, one in sorted(locals().items()) if one and name != "report"}
    saved_model = artifacts.saved_model(model)
    signatures = Signatures.kept(saved_model)
    vocabularies = tft.TFTransformOutput(transform_graph.uri)
    inputs = Inputs(
        quarantine=IngestSummary.read(quarantine.uri),
        sample_rates=_sample_rates(statistics),
        anomalies=[
            *_anomalies("ratings", ratings_anomalies),
            *_anomalies("movies", movies_anomalies),
        ],
        data=EncodedData.load(Path(encoded.uri)),
        users=[word.decode() for word in vocabularies.vocabulary_by_name(f.USER_VOCABULARY)],
        directions=signatures.movie_directions,
        recommend=partial(recommend, signatures),
        info=ModelInfo.read(saved_model),
        results=Results.read(Path(evaluation.uri)),
        serving_check=ServingResult.read(Path(infra_blessing.uri)),
        outcome=Outcome(
            blessed=artifacts.is_blessed(model_blessing),
            pushed=pushed_model.get_int_custom_property("pushed") == 1,
            version=pushed_model.get_string_custom_property("pushed_version") or None,
        ),
        trials=Trials.read(Path(tuner_results.uri)) if tuner_results else None,
        drift=DriftReport.read(drift.uri) if drift else None,
        artifacts=uris,
    )
    model_card = card.build(inputs)
    for name, content in (
        (page.REPORT_FILE, render.page(page.build(inputs))),
        (card.MARKDOWN_FILE, card.as_markdown(model_card)),
        (card.HTML_FILE, card.as_html(model_card)),
    ):
        files.write(files.join(report.uri, name), content.encode())


def _sample_rates(statistics: Artifact) -> dict[str, float]:
    """Share of each split's rows that the statistics read; empty if they read all."""
    rates = statistics.get_json_value_custom_property(SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME)
    return {split: float(rate) for split, rate in json_utils.loads(rates or "{}").items()}


def _anomalies(name: str, anomalies: Artifact) -> Iterator[str]:
    for split in validated_splits(name, anomalies):
        yield from map(str, split_anomalies(split))
