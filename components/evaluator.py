"""Evaluator's artifact I/O."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components.artifacts import record_batches, saved_model
from reelflow.base import columns as f
from reelflow.config import GateConfig
from reelflow.encoding.encode import texts
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation import tfma_run
from reelflow.evaluation.comparison import SLICE_KEYS, compare
from reelflow.evaluation.gate import accuracy_of, refusal
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.slices import Labels, user_groups

MODEL: Final = "model"
CHAMPION: Final = "baseline_model"
EXAMPLES: Final = "examples"
ENCODED: Final = "encoded"
CATALOGUE: Final = "catalogue"
EVALUATION: Final = "evaluation"
BLESSING: Final = "blessing"
GATE: Final = "gate"
SEED: Final = "seed"

METRICS_FILE: Final = "metrics.json"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Compares, lets TFMA judge, writes the evaluation and the blessing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluate the model against bounds, champion and baselines."""
        model = artifact_utils.get_single_instance(input_dict[MODEL])
        champions = input_dict.get(CHAMPION) or []
        data = EncodedData.load(Path(artifact_utils.get_single_uri(input_dict[ENCODED])))
        rows = read_test_rows(artifact_utils.get_single_instance(input_dict[EXAMPLES]), data)
        gate = GateConfig.model_validate_json(exec_properties[GATE])
        champion = saved_model(champions[0]) if champions else None
        seed = exec_properties[SEED]
        groups = _groups(input_dict.get(CATALOGUE) or [], rows)
        comparison = compare(saved_model(model), champion, rows, data, gate, seed, groups)
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION])
        config = tfma_run.eval_config(comparison.bounds, gate.protocol, SLICE_KEYS)
        self._run_tfma(comparison.cells, config, evaluation.uri)
        broken = tfma_run.failures(evaluation.uri)
        measured = {
            "rmse": comparison.model.rmse,
            "top_100": accuracy_of(comparison.model, gate),
        }
        reasons = [
            refusal(bound, measured[bound.metric], gate.protocol)
            for bound in comparison.bounds
            if bound.name in broken
        ]
        failed = [guard for guard in comparison.guards if not guard.passed]
        reasons += [guard.refusal() for guard in failed]
        broken_names = [*broken, *(guard.name for guard in failed)]
        unknown = {
            "users": data.sizes.unknown_users[f.TEST] / len(data.test),
            "movies": data.sizes.unknown_movies[f.TEST] / len(data.test),
        }
        report = json.dumps(comparison.report(reasons, broken_names, unknown), indent=2)
        io_utils.write_string_file(os.path.join(evaluation.uri, METRICS_FILE), report)
        evaluation.set_int_custom_property("rows", comparison.rows)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        _bless(blessing, not reasons, model, champions)

    # TFMA asks Keras for its metrics; AutoGraph would translate their sources to no effect.
    @tf.autograph.experimental.do_not_convert
    def _run_tfma(self, cells: pa.RecordBatch, config: config_pb2.EvalConfig, uri: str) -> None:
        with self._make_beam_pipeline() as pipeline:
            tfma_run.evaluate(pipeline, cells, config, uri)


def read_test_rows(examples: Artifact, data: EncodedData) -> TestRows:
    """The raw ids of the test split beside its encoded rows, which have the same order."""
    ids: dict[str, list[Any]] = {f.USER_ID: [], f.MOVIE_ID: []}
    for batch in record_batches(examples, f.TEST):
        for name, parts in ids.items():
            parts.append(texts(batch.column(batch.schema.get_field_index(name))))
    users, movies = (np.concatenate(p) if p else np.empty(0, object) for p in ids.values())
    return TestRows(user_id=users, movie_id=movies, encoded=data.test)


def _groups(catalogues: list[Artifact], rows: TestRows) -> dict[str, Labels]:
    """Slices by user attributes, where the catalogue has them."""
    users = (batch for catalogue in catalogues for batch in record_batches(catalogue, f.USERS))
    return user_groups(users, rows.user_id)


def _bless(blessing: Artifact, blessed: bool, model: Artifact, champions: list[Artifact]) -> None:
    """Say it as TFX's own Evaluator does, so that resolvers and Pusher understand it."""
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    for champion in champions[:1]:
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id
        )


# Evaluator: exact ranks, TFMA's verdict, and the reasons.


class EvaluatorSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        GATE: ExecutionParameter(type=str),
        SEED: ExecutionParameter(type=int),
    }
    INPUTS: ClassVar = {
        MODEL: ChannelParameter(type=standard_artifacts.Model),
        CHAMPION: ChannelParameter(type=standard_artifacts.Model, optional=True),
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        ENCODED: ChannelParameter(type=standard_artifacts.Examples),
        CATALOGUE: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS: ClassVar = {
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        BLESSING: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Evaluator(base_beam_component.BaseBeamComponent):
    """Asks the exported model's own `evaluate` signature, and lets TFMA apply the bounds.

    Outputs: `evaluation` (TFMA's files and `metrics.json`) and `blessing` (TFX's ModelBlessing). A
    refusal does not fail the node: Pusher sees to it that the model goes no further.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        model: channel.BaseChannel,
        baseline_model: channel.BaseChannel,
        examples: channel.BaseChannel,
        encoded: channel.BaseChannel,
        gate: GateConfig,
        seed: int,
        catalogue: channel.BaseChannel | None = None,
    ) -> None:
        """Describe the node.

        Args:
            model: the candidate.
            baseline_model: the champion that the model is held against; may be empty.
            examples: ExampleGen's ratings, for the raw ids of the test split.
            encoded: RatingsEncoder's ratings.
            gate: the bounds.
            seed: of the sample, if the test split is larger than `gate.max_test_rows`, and of the
                bootstrap.
            catalogue: ExampleGen's catalogue, for slices by user attributes if it has any.
        """
        inputs: dict[str, Any] = {
            MODEL: model,
            CHAMPION: baseline_model,
            EXAMPLES: examples,
            ENCODED: encoded,
            GATE: gate.model_dump_json(),
            SEED: seed,
            EVALUATION: channel.Channel(type=standard_artifacts.ModelEvaluation),
            BLESSING: channel.Channel(type=standard_artifacts.ModelBlessing),
        }
        if catalogue is not None:
            inputs[CATALOGUE] = catalogue
        super().__init__(spec=EvaluatorSpec(**inputs))
