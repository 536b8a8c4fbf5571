"""Report's artifact I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tensorflow_transform as tft
from tfx.components.statistics_gen.executor import SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, json_utils, path_utils

from components.data_gate.executor import verdicts
from components.data_gate.gate import anomaly_reasons
from components.report import card, page, render
from components.report.ask import Model
from components.report.inputs import Inputs, read_json
from components.trainer import features as f
from components.trainer.export import read_about
from components.transform.encoded import EncodedData

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
    saved_model = Path(path_utils.serving_model_path(single[MODEL].uri))
    pushed = single[PUSHED_MODEL]
    vocabularies = tft.TFTransformOutput(str(folders[TRANSFORM_GRAPH]))
    trials = folders.get(TUNER_RESULTS)
    return Inputs(
        quarantine=read_json(folders[QUARANTINE] / "report.json"),
        sample_rates=_sample_rates(single[STATISTICS]),
        anomalies=[
            words
            for name, key in (("ratings", RATINGS_ANOMALIES), ("films", MOVIES_ANOMALIES))
            for verdict in verdicts(name, artifacts[key])
            for found in anomaly_reasons(verdict)
            for words in found
        ],
        data=EncodedData.load(folders[ENCODED]),
        users=[word.decode() for word in vocabularies.vocabulary_by_name(f.USER_VOCABULARY)],
        model=saved_model,
        about=read_about(saved_model),
        evaluation=read_json(folders[EVALUATION] / "metrics.json"),
        serving_check=read_json(folders[INFRA_BLESSING] / "reasons.json"),
        blessed=single[MODEL_BLESSING].get_int_custom_property("blessed") == 1,
        pushed=pushed.get_int_custom_property("pushed") == 1,
        version=pushed.get_string_custom_property("pushed_version"),
        trials=None if trials is None else read_json(trials / "trials.json") or None,
        drift=read_json(folders[DRIFT] / "drift.json") if DRIFT in folders else {},
        artifacts={name: artifact.uri for name, artifact in sorted(single.items())},
    )


def _sample_rates(statistics: Artifact) -> dict[str, float]:
    rates = statistics.get_json_value_custom_property(SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME)
    return {split: float(rate) for split, rate in json_utils.loads(rates or "{}").items()}
