"""The end of a run: figures, examples, and why the gate said so."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from pipeline.cli.run import print_outcome
from pipeline.runs.summary import GateSummary, RunSummary
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.evaluation.results import BoundRecord

METRICS = {
    "raw": {"top_100": 0.3},
    "unseen": {"top_10": 0.2, "top_100": 0.41, "ndcg_10": 0.1},
    "rmse": 0.875,
    "mae": 0.7,
}
BASELINE = {**METRICS, "unseen": {"top_100": 0.25}, "rmse": 0.95}
CHAMPION = {**METRICS, "unseen": {"top_100": 0.39}, "rmse": 0.9}

LEAD = {"origin": "baseline", "baseline": "popularity", "reference": 0.25}
LOSS = {"origin": "champion", "reference": 0.39}
BOUNDS = [
    BoundRecord("top_100_accuracy", "top_100", 0.05, None, "", value=0.41),
    BoundRecord("p", "top_100", 0.3, None, "", interval=(0.11, 0.21), **LEAD),
    BoundRecord("c", "top_100", 0.37, None, "", interval=(-0.02, 0.06), **LOSS),
    BoundRecord(
        "rmse_against_biases",
        "rmse",
        None,
        0.97,
        "",
        origin="baseline",
        baseline="biases",
        reference=0.95,
        interval=(-0.09, -0.06),
    ),
]


def _shown(examples: list[Any] | None = None, **changes: Any) -> str:
    summary = {
        "run_id": "r1",
        "finished": "2026-01-02T03:04:05+00:00",
        "data": {
            "format": "movielens-csv",
            "rows": 1000,
            "users": 10,
            "movies": 20,
            "quarantined": {"rating": 2, "columns": 1},
            "synthetic": True,
        },
        "metrics": METRICS,
        "baselines": {"popularity": BASELINE},
        "out_of_vocabulary": {"users": 0.25, "movies": 0.0},
        "champion": CHAMPION,
        "gate": {"blessed": True, "reasons": [], "bounds": BOUNDS},
        "serving_check": {"blessed": True, "reasons": []},
        "pushed": "/out/serving/reelflow/7",
        "seconds": {"A": 1.0, "B": 2.0, "ChampionResolver": 0.1},
        "cached": [],
        **changes,
    }
    out = io.StringIO()
    console = Console(file=out, width=120)
    parsed = RunSummary.model_validate(summary)
    print_outcome(console, parsed, Config(), examples or [], Layout.of(Path("/out")))
    return out.getvalue()


def test_figures_stand_beside_bound_baseline_and_champion() -> None:
    out = _shown()
    [accuracy] = [line for line in out.splitlines() if "top-100 accuracy, unseen" in line]
    assert accuracy.split()[3:] == ["0.4100", "≥", "0.3700", "0.2500", "0.3900"]
    [rmse] = [line for line in out.splitlines() if line.startswith(" RMSE  ")]
    assert rmse.split()[1:] == ["0.8750", "≤", "0.9700", "0.9500", "0.9000"]
    assert "3 rows in quarantine (2 rating, 1 columns)" in out
    assert "synthetic" in out
    assert "/out/serving/reelflow/7" in out


def test_live_figures_stand_beside_and_liked_ones_below() -> None:
    liked = {**METRICS, "liked": {"top_10": 0.3, "top_100": 0.5}}
    live = {**liked, "unseen": {"top_10": 0.25, "top_100": 0.45}, "rmse": 0.87}
    out = _shown(
        metrics=liked, live={"rows": 9, "metrics": live, "intervals": {}, "nightly": liked}
    )
    lines = [line.split() for line in out.splitlines()]
    assert ["top-10", "accuracy,", "unseen", "0.2000", "0.2500"] in [line[:5] for line in lines]
    assert ["top-100", "accuracy,", "liked", "0.5000", "0.5000"] in [line[:5] for line in lines]
    [header] = [line for line in lines if line[:2] == ["Metric", "Model"]]
    assert header == ["Metric", "Model", "Bound", "Live", "popularity", "Champion"]
    [rmse] = [line for line in lines if line[:2] == ["RMSE", "0.8750"]]
    assert "0.8700" not in rmse  # stars are predicted without live histories


def test_the_table_fits_a_terminal_and_has_no_champion_where_there_is_none() -> None:
    out = _shown(champion=None)
    assert "Champion" not in out
    table = out[out.index(" Metric") : out.index("Gate ")]
    assert max(map(len, table.splitlines())) <= 80


def test_a_run_on_events_shows_no_stars() -> None:
    ratings = {"feedback": "events", "asked": "auto", "lowest": 1.0, "highest": 1.0}
    data = {"format": "csv", "rows": 9, "users": 3, "movies": 3, "synthetic": False}
    gate = GateSummary(blessed=True, not_gated=[], bounds=BOUNDS[:3])
    out = _shown(data={**data, "ratings": ratings}, gate=gate)
    for word in ("RMSE", "MAE", "liked", "likes, AUC"):
        assert word not in out


def test_a_pass_says_what_the_model_was_held_against() -> None:
    out = " ".join(_shown().split())
    assert "is 0.4100: at least 0.0500, +0.1100 to +0.2100 from the popularity baseline's" in out
    assert "-0.0200 to +0.0600 from the champion's 0.3900." in out
    assert "RMSE is 0.8750: at most 0.9700, by mean plus damped biases with 0.9500." in out


def test_split_and_scale_are_said_with_their_reasons() -> None:
    choice = {"asked": "auto", "reason": "new_users", "known_share": 0.12, "required_share": 0.5}
    scale = {"asked": "auto", "feedback": "events", "absent": True, "lowest": 1, "highest": 1}
    data = {"format": "csv", "rows": 9, "users": 1, "movies": 2, "synthetic": False}
    made = {"split": {"kind": "last", **choice}, "ratings": scale, "repeated": 4}
    out = _shown(data={**data, **made})
    assert "Ratings     Every row is an event, since there is no column of ratings" in out
    assert "4 repeated rows of the same user and movie" in out
    assert "Split       last: " in out
    assert "12% of the test ratings" in out
    # A summary of an earlier version has neither.
    assert "Split" not in _shown()


def test_the_cache_is_mentioned() -> None:
    assert "Cached" not in _shown()
    assert "1 of 2 steps" in _shown(cached=["A"])
    assert "everything" in _shown(cached=["A", "B"])


def test_refusals_give_their_reasons() -> None:
    out = _shown(
        pushed=None,
        gate={"blessed": False, "reasons": ["RMSE [too] high"]},
        serving_check={"blessed": False, "reasons": ["too slow"]},
    )
    for words in ("refused", "RMSE [too] high", "too slow", "not pushed"):
        assert words in out


def test_a_run_without_an_evaluation_is_shown_too() -> None:
    out = _shown(metrics=None, data=None, gate=None, serving_check=None, pushed=None)
    assert "refused" in out


def test_examples_show_titles() -> None:
    item = SimpleNamespace(movie_id="1", title="Heat [1995]", score=1.0)
    untitled = SimpleNamespace(movie_id="77", title="", score=0.5)
    answer = SimpleNamespace(source="user", items=(item, untitled))
    out = _shown(examples=[("u 1", answer)])
    assert "For user u 1" in out
    assert " 1  Heat [1995]" in out
    assert " 2  77" in out
    assert "by the refused model" in _shown(examples=[("u 1", answer)], pushed=None)
    assert "by the refused model" not in out


def test_what_is_not_gated_has_no_bound_and_is_said() -> None:
    words = "Top-100 accuracy (unseen) is not gated: no retrieval task."
    out = _shown(gate=GateSummary(blessed=True, not_gated=[words], bounds=BOUNDS[3:]))
    [accuracy] = [line for line in out.splitlines() if "top-100 accuracy, unseen" in line]
    assert "≥" not in accuracy
    assert words in out
    assert "Top-100 accuracy (unseen) is 0.4100" not in out
    assert "RMSE is 0.8750: at most 0.9700" in out
