"""A pipeline of three small steps with the artifacts that the real one leaves.

Without `from __future__ import annotations`: TFX reads the annotations of function components.
"""

import json
import os
from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import (
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model, ModelBlessing, ModelEvaluation, PushedModel

from components.artifacts import Quarantine
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import Layout

METRICS = {
    "raw": {"top_1": 0.1, "top_10": 0.2, "top_100": 0.4, "ndcg_10": 0.1},
    "unseen": {"top_1": 0.2, "top_10": 0.3, "top_100": 0.5, "ndcg_10": 0.2},
    "rmse": 0.9,
    "mae": 0.7,
}


@component
def Reader(quarantine: OutputArtifact[Quarantine], path: Parameter[str]) -> None:
    """Counts; raises what the file `raise` in the data folder says."""
    fault = Path(path, "raise")
    if fault.is_file() and fault.read_text().strip() == "bad":
        try:
            raise BadInput("ratings.csv: no ratings.", "Give some.")
        except BadInput as error:
            raise RuntimeError("wrapped") from error
    if fault.is_file():
        os.write(2, b"native noise\n")
        raise ValueError("boom\nsecond line")
    report = {
        "format": "movielens-csv",
        "synthetic": False,
        "files": ["ratings.csv"],
        "rows": {"read": 101, "kept": 100, "train": 80, "validation": 10, "test": 10},
        "users": 10,
        "movies": 20,
        "split": {"kind": "random", "asked": "random"},
        "ratings": {"feedback": "stars", "asked": "auto", "lowest": 1.0, "highest": 5.0},
        "quarantined": {"rating": 1},
        "data_hash": "abc",
    }
    Path(quarantine.uri).mkdir(parents=True, exist_ok=True)
    Path(quarantine.uri, "report.json").write_text(json.dumps(report))
    quarantine.rows = 100


@component
def Evaluator(
    quarantine: InputArtifact[Quarantine],
    evaluation: OutputArtifact[ModelEvaluation],
    blessing: OutputArtifact[ModelBlessing],
    bound: Parameter[float],
) -> None:
    """Bless if the stand-in's RMSE keeps the bound."""
    print("noise of a library", quarantine.uri)
    blessed = METRICS["rmse"] <= bound  # type: ignore[operator]
    reason = f"RMSE 0.9 {'keeps' if blessed else 'exceeds'} the bound {bound:g}"
    metrics = {
        "rows": 10,
        "metrics": METRICS,
        "baselines": {"popularity": METRICS},
        "champion": None,
        "slices": [],
        "gate": {"blessed": blessed, "reasons": [reason]},
        "out_of_vocabulary": {"users": 0.0, "movies": 0.0},
    }
    Path(evaluation.uri).mkdir(parents=True, exist_ok=True)
    Path(evaluation.uri, "metrics.json").write_text(json.dumps(metrics))
    blessing.set_int_custom_property("blessed", int(blessed))


@component
def Pusher(
    blessing: InputArtifact[ModelBlessing],
    pushed: OutputArtifact[PushedModel],
    directory: Parameter[str],
) -> None:
    """Make a version's folder if the model was blessed."""
    blessed = blessing.get_int_custom_property("blessed")
    pushed.set_int_custom_property("pushed", blessed)
    if blessed:
        version = Path(directory, "1")
        version.mkdir(parents=True, exist_ok=True)
        Path(version, "saved_model.pb").touch()
        pushed.set_string_custom_property("pushed_destination", str(version))


def create_pipeline(config: Config, output: str, name: str = "reelflow") -> tfx.dsl.Pipeline:
    """The stand-in for `pipeline.definition.create_pipeline`."""
    layout = Layout.of(output)
    reader = Reader(path=config.data.path)
    champion = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=Model),
        model_blessing=tfx.dsl.Channel(type=ModelBlessing),
    ).with_id("ChampionResolver")
    evaluator = Evaluator(
        quarantine=reader.outputs["quarantine"], bound=config.gate.rmse_max or 1.2
    )
    evaluator.add_upstream_node(champion)
    pusher = Pusher(blessing=evaluator.outputs["blessing"], directory=str(layout.serving))
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=str(layout.artifacts),
        components=[reader, champion, evaluator, pusher],
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(layout.metadata)
        ),
    )
