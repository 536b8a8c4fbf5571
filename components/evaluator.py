"""Evaluator: measures the exported model, decides the gate and blesses or refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import tensorflow as tf
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
from reelflow.evaluation.comparison import SLICE_KEYS, Comparison, compare
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


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the artifacts, and writes the evaluation and the blessing."""

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
        comparison = compare(
            saved_model(model),
            saved_model(champions[0]) if champions else None,
            rows,
            data,
            GateConfig.model_validate_json(exec_properties[GATE]),
            exec_properties[SEED],
            _groups(input_dict.get(CATALOGUE) or [], rows),
        )
        results = comparison.results
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION])
        self._run_tfma(comparison, evaluation.uri)
        results.write(Path(evaluation.uri))
        evaluation.set_int_custom_property("rows", results.rows)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        _bless(blessing, results.gate.blessed, model, champions)

    # TFMA asks Keras for its metrics; AutoGraph would translate their sources to no effect.
    @tf.autograph.experimental.do_not_convert
    def _run_tfma(self, comparison: Comparison, uri: str) -> None:
        config = tfma_run.eval_config(comparison.bounds, SLICE_KEYS)
        with self._make_beam_pipeline() as pipeline:
            tfma_run.evaluate(pipeline, comparison.cells, config, uri)


def read_test_rows(examples: Artifact, data: EncodedData) -> TestRows:
    """The raw ids of the test split beside its encoded rows, which have the same order."""
    ids: dict[str, list[Any]] = {f.USER_ID: [], f.MOVIE_ID: []}
    for batch in record_batches(examples, f.TEST):
        for name, parts in ids.items():
            parts.append(texts(batch.column(batch.schema.get_field_index(name))))
    users, movies = (np.concatenate(p) if p else np.empty(0, object) for p in ids.values())
    return TestRows(user_id=users, movie_id=movies, encoded=data.test)


def _groups(catalogues: list[Artifact], rows: TestRows) -> dict[str, Labels]:
    """Groups of the rows' users by attribute; empty where the catalogue has no attributes."""
    users = (batch for catalogue in catalogues for batch in record_batches(catalogue, f.USERS))
    return user_groups(users, rows.user_id)


def _bless(blessing: Artifact, blessed: bool, model: Artifact, champions: list[Artifact]) -> None:
    """Write the blessing as TFX's own Evaluator does, for TFX's resolvers and Pusher."""
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


class EvaluatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of the Evaluator."""

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
    """Evaluates a model by its own `evaluate` signature and holds it to the gate's bounds.

    Outputs: `evaluation` (`metrics.json` and TFMA's files) and `blessing` (TFX's ModelBlessing). A
    refusal does not fail the node; Pusher pushes no model without a blessing.
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
            baseline_model: the champion that the model is compared with; may be empty.
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
