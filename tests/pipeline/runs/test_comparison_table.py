"""The table of `reelflow compare`."""

from __future__ import annotations

import io
import json

import numpy as np
from rich.console import Console

from pipeline.runs.comparison import LEGEND, ROWS, as_json, as_markdown, cells, on_screen
from reelflow.evaluation.contest import Entry

LISTS = ("coverage_10", "novelty_10")
ABOUT = {
    "split": {"kind": "random", "seed": 42},
    "rows": 1000,
    "users_tested": 90,
    "train_rows": 8000,
    "users": 100,
    "movies": 50,
}


def _entry(name: str, value: float, seconds: float | None = 1.0) -> Entry:
    random = np.random.default_rng(0)
    draws = {row.key: value + 0.001 * random.normal(size=50) for row in ROWS}
    bounds = {key: (value - 0.01, value + 0.01) for key in draws if key not in LISTS}
    metrics = dict.fromkeys(draws, value)
    return Entry(name, metrics, bounds, seconds, 1234, {key: draws[key] for key in bounds})


ENTRIES = [_entry("low", 0.25), _entry("high", 0.5, None)]


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
    page = as_markdown(ENTRIES, ABOUT)
    assert "1,000 test ratings of 90 users" in page
    assert "| metric | low | high |" in page
    assert "| top-100, unseen | 0.2500 ±.010 | **0.5000 ±.010** |" in page
    assert LEGEND in page


def test_json_is_complete() -> None:
    loaded = json.loads(json.dumps(as_json(ENTRIES, ABOUT)))
    assert loaded["rows"] == 1000
    low, high = loaded["entries"]
    assert (low["name"], high["fit_seconds"]) == ("low", None)
    assert low["intervals"]["rmse"] == [0.24, 0.26]


def test_on_screen() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(on_screen(ENTRIES))
    text = console.export_text()
    assert "low" in text
    assert "0.5000 ±.010" in text
