"""The table of `reelflow compare`, and the stability of a configuration across seeds."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
from rich.console import Console

from pipeline.cli.compare import with_seeds
from pipeline.runs.comparison import (
    LEGEND,
    ROWS,
    Comparison,
    cells,
    setting_sentence,
    stability,
    stability_sentences,
)
from reelflow.config import Config
from reelflow.evaluation.contest import Entry
from reelflow.evaluation.results import Chosen

LISTS = ("coverage_10", "novelty_10")


def _entry(name: str, value: float, seconds: float | None = 1.0) -> Entry:
    random = np.random.default_rng(0)
    draws = {row.key: value + 0.001 * random.normal(size=50) for row in ROWS}
    bounds = {key: (value - 0.01, value + 0.01) for key in draws if key not in LISTS}
    metrics = dict.fromkeys(draws, value)
    return Entry(name, metrics, bounds, seconds, 1234, {key: draws[key] for key in bounds})


ENTRIES = [_entry("low", 0.25), _entry("high", 0.5, None)]
COMPARISON = Comparison(
    split={"kind": "random", "seed": 42},
    rows=1000,
    users_tested=90,
    train_rows=8000,
    users=100,
    movies=50,
    failures={},
    seeds=[],
    entries=ENTRIES,
    like_threshold=3.8,
    settings=["ease: ridge 300, of 5."],
)


def test_the_best_is_bold() -> None:
    table = cells(ENTRIES)
    assert [cell.bold for cell in table["top-100, unseen"]] == [False, True]
    assert [cell.bold for cell in table["RMSE"]] == [True, False]
    assert [cell.bold for cell in table["coverage@10"]] == [False, False]


def test_figures() -> None:
    table = cells(ENTRIES)
    assert table["MRR, raw"][0].text == "0.2500 ±.010"
    assert table["novelty@10, bits"][1].text == "0.5000"
    assert [cell.text for cell in table["fit, seconds"]] == ["1.0", "–"]
    assert table["parameters"][0].text == "1,234"


def test_as_good_as_the_best_is_bold_too() -> None:
    assert all(cell.bold for cell in cells([ENTRIES[0], _entry("same", 0.25)])["MAE"])


def test_markdown() -> None:
    page = COMPARISON.as_markdown()
    assert "1,000 test ratings of 90 users" in page
    assert "| metric | low | high |" in page
    assert "| top-100, unseen | 0.2500 ±.010 | **0.5000 ±.010** |" in page
    assert LEGEND in page


def test_json_is_complete() -> None:
    loaded = json.loads(json.dumps(COMPARISON.as_json()))
    assert loaded["rows"] == 1000
    low, high = loaded["entries"]
    assert (low["name"], high["fit_seconds"]) == ("low", None)
    assert low["intervals"]["rmse"] == [0.24, 0.26]


def test_on_screen() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(COMPARISON.as_table())
    text = console.export_text()
    assert "low" in text
    assert "0.5000 ±.010" in text


def _measured(name: str, value: float) -> Entry:
    metrics, bounds = {"rmse": value, "coverage_10": value}, {"rmse": (value - 0.1, value + 0.1)}
    return Entry(name, metrics, bounds, None, None, {})


def test_each_configuration_with_the_next_seeds() -> None:
    found = with_seeds({"best": Config()}, 3)["best"]
    assert list(found) == ["best", "best-seed43", "best-seed44"]
    assert [config.train.seed for config in found.values()] == [42, 43, 44]
    assert with_seeds({"best": Config()}, 1) == {"best": {"best": Config()}}


def test_another_seed_inside_or_outside() -> None:
    entries = [
        _measured("a", 1.0),
        _measured("a-seed43", 1.05),
        _measured("b", 1.0),
        _measured("b-seed43", 2),
    ]
    groups = {"a": ["a", "a-seed43", "a-seed44"], "b": ["b", "b-seed43"], "c": ["c"]}
    found = stability(entries, groups)
    assert found == {"a": {"a-seed43": []}, "b": {"b-seed43": ["rmse"]}}
    assert list(stability_sentences(found)) == [
        "a: another seed stays inside the 95 % interval in every metric.",
        "b: outside the interval of the first seed: b-seed43: rmse.",
    ]


def test_a_single_seed_is_not_compared() -> None:
    assert (
        list(stability_sentences(stability([_measured("a", 1.0)], {"a": ["a", "a-seed43"]}))) == []
    )


def test_settings_of_baselines_are_told_with_their_budget() -> None:
    chosen = Chosen({"ridge": 300.0}, tried=5, rows=10_000, value=0.1)
    assert setting_sentence("ease", chosen) == (
        "ease: ridge 300; the best of 5 by NDCG@10, unseen on 10,000 validation ratings."
    )
    assert setting_sentence("popularity", Chosen({}, tried=1)) == (
        "popularity: no settings, nothing to choose."
    )


def test_means_over_users_stand_in_lines_of_their_own() -> None:
    entry = dataclasses.replace(ENTRIES[0], over_users={"unseen/top_10": 0.125})
    table = cells([entry, ENTRIES[1]])
    assert [cell.text for cell in table["top-10, unseen, users"]] == ["0.1250", "–"]


def test_what_no_test_rating_counts_for_is_a_dash() -> None:
    metrics = {k: v for k, v in ENTRIES[0].metrics.items() if not k.startswith("liked/")}
    table = cells([dataclasses.replace(ENTRIES[0], metrics=metrics)])
    assert table["top-10, liked"][0].text == "–"
