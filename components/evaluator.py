"""Evaluator: measures the exported model, decides the gate, and blesses or refuses."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

import os
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx.components.evaluator import constants
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation
from tfx.utils import io_utils
from tfx.v1.dsl.components import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
    component,
)

from components.artifacts import record_batches, saved_model
from reelflow.base import columns as f
from reelflow.config import GateConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation import tfma_run
from reelflow.evaluation.comparison import SLICE_KEYS, Comparison, compare
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.slices import user_groups


@component(use_beam=True)
def Evaluator(
    model: InputArtifact[Model],
    examples: InputArtifact[Examples],
    encoded: InputArtifact[Examples],
    evaluation: OutputArtifact[ModelEvaluation],
    blessing: OutputArtifact[ModelBlessing],
    gate: Parameter[str],
    seed: Parameter[int],
    baseline_model: InputArtifact[Model] = None,
    catalogue: InputArtifact[Examples] = None,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Evaluate a model by its own `evaluate` signature and hold it to the gate's bounds.

    A refusal does not fail the node; Pusher pushes no model without a blessing.

    Args:
        model: the candidate.
        examples: ExampleGen's ratings, for the raw ids of the test split.
        encoded: RatingsEncoder's ratings.
        evaluation: gets `metrics.json` and TFMA's files.
        blessing: marked as TFX's own Evaluator does.
        gate: the section `gate` as JSON.
        seed: of the sample, if the test split is larger than `gate.max_test_rows`, and of the
            bootstrap.
        baseline_model: the champion that the model is compared with, if there is one.
        catalogue: ExampleGen's catalogue, for slices by user attributes if it has any.
        beam_pipeline: runs TFMA.
    """
    data = EncodedData.load(Path(encoded.uri))
    rows = read_test_rows(examples, data)
    users = record_batches(catalogue, f.USERS) if catalogue else ()
    comparison = compare(
        saved_model(model),
        saved_model(baseline_model) if baseline_model else None,
        rows,
        data,
        GateConfig.model_validate_json(gate),
        seed,
        user_groups(users, rows.user_id),
    )
    _run_tfma(beam_pipeline, comparison, evaluation.uri)
    comparison.results.write(Path(evaluation.uri))
    evaluation.set_int_custom_property("rows", comparison.results.rows)
    _bless(blessing, comparison.results.gate.blessed, model, baseline_model)


def read_test_rows(examples: Artifact, data: EncodedData) -> TestRows:
    """Read the raw ids of the test split, whose rows are in the order of the encoded ones."""
    ids: dict[str, list[Any]] = {f.USER_ID: [], f.MOVIE_ID: []}
    for batch in record_batches(examples, f.TEST):
        for name, parts in ids.items():
            parts.append(batch.column(name).flatten().to_numpy(zero_copy_only=False))
    users, movies = (np.concatenate(p) if p else np.empty(0, object) for p in ids.values())
    return TestRows(user_id=users, movie_id=movies, encoded=data.test)


# TFMA asks Keras for its metrics; AutoGraph would translate their sources to no effect.
@tf.autograph.experimental.do_not_convert
def _run_tfma(pipeline: beam.Pipeline, comparison: Comparison, uri: str) -> None:
    config = tfma_run.eval_config(comparison.bounds, SLICE_KEYS)
    with pipeline as running:
        tfma_run.evaluate(running, comparison.cells, config, uri)


def _bless(blessing: Artifact, blessed: bool, model: Artifact, champion: Artifact | None) -> None:
    """Write the blessing as TFX's own Evaluator does, for TFX's resolvers and Pusher."""
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    if champion is not None:
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id
        )
