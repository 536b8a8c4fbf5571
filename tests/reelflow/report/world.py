"""A small run's artifacts as the report reads them, with hostile texts in its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from reelflow.data.ingest.results import Change, DriftReport
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.results import Results
from reelflow.evaluation.trials import Trial, Trials
from reelflow.report.inputs import Inputs, Outcome, Reason, Recommendation
from reelflow.saved_model.files import (
    ChosenMix,
    ChosenWeight,
    MixTrial,
    ModelInfo,
    ServingResult,
    WeightTrial,
)
from tests.encoded_data import Movie, encoded, user_vocabulary
from tests.ingested import ingest_summary

EVIL = "<script>alert('movie')</script>"

TRAIN = [
    ("1", "a", 4.0, 10),
    ("1", "b", 3.0, 20),
    ("1", "c", 5.0, 30),
    ("2", "a", 2.0, 10),
    ("2", "b", 4.5, 40),
    ("3", "a", 1.0, 50),
]
TEST = [("1", "d", 4.5, 60), ("2", "c", 3.5, 60)]
MOVIES = [
    Movie("a", ("Drama", EVIL), 1994),
    Movie("b", ("Comedy",), 1995),
    Movie("c", ("Drama",), 2003),
    Movie("d"),
]


def data() -> EncodedData:
    """Three users and four movies; movie "a" is called EVIL."""
    found = encoded(TRAIN, (), TEST, MOVIES)
    found.catalogue.title[0] = EVIL
    return found


def metrics(top_100: float, rmse: float) -> dict[str, Any]:
    """A model's metrics."""
    ranks = {"top_1": 0.1, "top_5": 0.2, "top_10": 0.3, "top_50": 0.4, "top_100": top_100}
    ranks |= {"ndcg_10": 0.15, "mrr": 0.12}
    liked = {key: value + 0.02 for key, value in ranks.items()}
    return {
        "raw": dict(ranks),
        "unseen": dict(ranks),
        "liked": liked,
        "liked_rows": 600,
        "stars_of_hits_10": 4.1,
        "over_users": {
            "unseen/top_100": top_100 + 0.05,
            "liked/top_100": 0.66,
            "rmse": rmse - 0.02,
        },
        "rmse": rmse,
        "mae": rmse - 0.1,
    }


def intervals(top_100: float, rmse: float) -> dict[str, list[float]]:
    """Their intervals."""
    found = {"unseen/top_100": [top_100 - 0.02, top_100 + 0.02], "rmse": [rmse - 0.03, rmse + 0.03]}
    return found | {"unseen/top_10": [0.25, 0.35]}


def a_slice(key: str, value: str, rows: int, top_100: float, rmse: float) -> dict[str, Any]:
    """One slice."""
    return {
        "slice": {key: value},
        "rows": rows,
        **metrics(top_100, rmse),
        "intervals": intervals(top_100, rmse),
    }


def results(**changes: Any) -> Results:
    """`metrics.json` as its model."""
    return Results.of(metrics_json(**changes))


def metrics_json(**changes: Any) -> dict[str, Any]:
    """Content of `metrics.json`."""
    return {
        "rows": 1000,
        "all_rows": 2000,
        "metrics": metrics(0.5, 0.9),
        "champion": metrics(0.48, 0.91),
        "baselines": {"popularity": metrics(0.25, 1.0)},
        "slices": [
            a_slice("user_activity", "200+", 600, 0.6, 0.8),
            a_slice("user_activity", "1-19", 400, 0.4, 1.0),
            a_slice("genre", EVIL, 300, 0.45, 0.95),
            a_slice("knowledge", "new movies", 20, 0.1, 1.3),
            a_slice("knowledge", "new users", 300, 0.3, 1.1),
            a_slice("knowledge", "known users", 700, 0.55, 0.88),
        ],
        "gate": {
            "blessed": True,
            "reasons": [],
            "protocol": "unseen",
            "bounds": [
                {
                    "name": "rmse_against_biases",
                    "metric": "rmse",
                    "lower": None,
                    "upper": 0.98,
                    "reason": "biases",
                    "origin": "baseline",
                    "baseline": "biases",
                    "value": 0.9,
                    "reference": 1.0,
                    "threshold": 0.02,
                    "difference": -0.1,
                    "interval": [-0.13, -0.07],
                    "level": 0.975,
                    "kept": True,
                },
                {
                    "name": "top_100_accuracy_against_champion",
                    "metric": "top_100",
                    "lower": 0.49,
                    "upper": None,
                    "reason": "the champion's",
                    "origin": "champion",
                    "value": 0.5,
                    "reference": 0.48,
                    "threshold": -0.01,
                    "difference": 0.02,
                    "interval": [0.0, 0.04],
                    "level": 0.95,
                    "kept": True,
                },
                {
                    "name": "top_100_accuracy",
                    "metric": "top_100",
                    "lower": 0.05,
                    "upper": None,
                    "reason": "gate.top_100_accuracy_min",
                    "value": 0.5,
                    "kept": True,
                },
            ],
        },
        "out_of_vocabulary": {"users": 0.01, "movies": 0.0},
        "intervals": {
            "model": intervals(0.5, 0.9),
            "champion": intervals(0.48, 0.91),
            "baselines": {"popularity": intervals(0.25, 1.0)},
        },
        "calibration": [
            {"rows": 400, "predicted": 2.5, "actual": 2.3, "error": 0.05},
            {"rows": 600, "predicted": 4.0, "actual": 4.2, "error": 0.04},
        ],
        "retrieval": metrics(0.51, 0.9) | {"stars_of_hits_10": 4.0},
        "live": {
            "rows": 900,
            "metrics": metrics(0.6, 0.9),
            "intervals": intervals(0.6, 0.9),
            "nightly": metrics(0.5, 0.9),
        },
        "like_threshold": 3.65,
        "movies": 4,
        "omitted": [5, 10],
        "chosen": {
            "ease": {"settings": {"ridge": 250.0}, "tried": 6, "rows": 77, "value": 0.12},
            "popularity": {"settings": {}, "tried": 1},
        },
        **changes,
    }


BLEND = ChosenWeight(
    weight=0.3,
    trials=[
        WeightTrial(
            weight=weight,
            metrics={
                "unseen/top_10": 0.3 - 0.02 * weight,
                "liked/top_10": 0.35,
                "liked/ndcg_10": 0.2,
                "stars_of_hits_10": 4.0 + weight,
            },
        )
        for weight in (0.0, 0.3, 1.0)
    ],
)
MIX = ChosenMix(
    weights={"towers": 0.5, "items": 0.5},
    settings={"items": {"ridge": 100.0}},
    trials=[
        MixTrial(
            weights={
                name: weight for name, weight in (("towers", 1 - share), ("items", share)) if weight
            },
            settings={"items": {"ridge": 100.0}} if share else {},
            gain=0.25 - (share - 0.5) ** 2,
            metrics={
                "unseen/top_10": 0.3,
                "unseen/top_100": 0.5 + share / 10,
                "liked/top_10": 0.31,
                "stars_of_hits_10": 4.0,
            },
        )
        for share in (0.0, 0.5, 1.0)
    ],
)

DRIFT = DriftReport(
    newest="2",
    previous="1",
    rows={"1": 10, "2": 12},
    changes=(Change("rating", "drift", "Jensen-Shannon", 0.31, 0.2),),
)

TRIALS = Trials(
    objective="unseen/top_100",
    lower_is_better=False,
    algorithm="random",
    best=2,
    trials=[
        Trial(
            number=number,
            hyperparameters={"train.learning_rate": rate, "model.loss": loss},
            objective=objective,
            metrics={},
            seconds=61.0,
            failure=None if objective else "boom",
        )
        for number, rate, loss, objective in [
            (1, 0.0001, "full_softmax", 0.3),
            (2, 0.1, "in_batch_softmax", 0.4),
            (3, 0.01, "full_softmax", None),
        ]
    ],
)


def inputs(**changes: Any) -> Inputs:
    """Everything of a model that was pushed."""
    values: dict[str, Any] = {
        "quarantine": ingest_summary(),
        "sample_rates": {"train": 0.5},
        "anomalies": [],
        "data": data(),
        "users": user_vocabulary(TRAIN),
        "directions": np.eye(4, 3, dtype=np.float32),
        "recommend": recommend,
        "info": ModelInfo(
            epochs=3,
            fit_seconds=61.0,
            parameters=12345,
            history={
                "retrieval_loss": [3.0, 2.0, 1.0],
                "val_retrieval_loss": [3.0, 2.5, 2.75],
                "rating_loss": [1.0, 0.9, 0.8],
            },
            model={"embedding_size": 8},
            blend=BLEND,
            mix=MIX,
        ),
        "results": results(),
        "serving_check": ServingResult(latency_ms={"median": 1.0, "p95": 2.0}, golden=7),
        "outcome": Outcome(blessed=True, pushed=True, version="17"),
    }
    return Inputs(**{**values, **changes})


def recommend(user: str, k: int) -> list[Recommendation]:
    """Stand in for a model: movie d because of movies a and d."""
    return [Recommendation("d", (Reason("a", 4.0), Reason("d", 1.0)), 4.25)][:k]


def without_stars() -> Inputs:
    """Everything of a model that was trained on events."""
    ratings = {"feedback": "events", "asked": "auto", "absent": True, "lowest": 1.0, "highest": 1.0}
    info = inputs().info.model_copy(update={"tasks": ["retrieval"], "blend": None})
    gate = {**metrics_json()["gate"], "bounds": metrics_json()["gate"]["bounds"][1:]}
    return inputs(
        quarantine=ingest_summary(ratings=ratings),
        info=info,
        results=results(retrieval=None, calibration=[], gate=gate),
    )
