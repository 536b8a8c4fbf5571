"""The table of presets and baselines: what is bold, what is kept, what resumes."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import common, models
from benchmarks.models import PATHS, STAR_PATHS, Measured, page, result_file, rows


def measured(name: str, value: float, baseline: bool = False) -> Measured:
    """A made-up result with narrow intervals."""
    noise = 0.01 * np.random.default_rng(0).normal(size=50)
    metrics = {
        path: (1 - value if path in ("rmse", "mae") else value) for path in (*PATHS, *STAR_PATHS)
    }
    return Measured(
        name=name,
        baseline=baseline,
        metrics=metrics,
        intervals={path: (of - 0.01, of + 0.01) for path, of in metrics.items()},
        cpu_seconds=None if baseline else 61.4,
        parameters=1234567,
        megabytes=None if baseline else 12.34,
        facts="made-up: 10 test ratings.",
        resamples={path: (of + noise).tolist() for path, of in metrics.items()},
    )


def test_presets_come_first_and_the_best_is_bold() -> None:
    weak, strong, known = (
        measured("weak", 0.1), measured("strong", 0.3), measured("ease", 0.2, baseline=True)
    )  # fmt: skip
    found = rows([known, weak, strong])
    assert [row[""] for row in found] == ["`strong`", "`weak`", "`ease`"]
    assert found[0]["Top-10, unseen"] == "**0.3000 ±.010**"
    assert found[0]["RMSE"].startswith("**0.7000")
    assert not any("**" in cell for cell in found[1].values())
    assert (found[0]["CPU s"], found[0]["parameters"], found[0]["MB"]) == (
        "61",
        "1,234,567",
        "12.3",
    )
    assert (found[2]["CPU s"], found[2]["MB"]) == ("–", "–")


def test_what_the_rows_cannot_tell_apart_is_bold_too() -> None:
    one, other = measured("one", 0.3), measured("other", 0.299)
    draws = {p: np.random.default_rng(1).normal(v, 0.05, 50) for p, v in other.metrics.items()}
    other.resamples.update({path: of.tolist() for path, of in draws.items()})
    assert all("**" in row["NDCG@10, liked"] for row in rows([one, other]))


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = measured("best", 0.3)
    result.write(result_file(tmp_path, "best"))
    again = Measured.read(result_file(tmp_path, "best"))
    assert again.metrics == result.metrics
    assert rows([again]) == rows([result])


def test_what_is_there_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fresh(function: str, **arguments: Any) -> dict[str, Any]:
        name = arguments["name"]
        asked.append(name)
        if name == "bpr":
            raise RuntimeError("models:entry failed:\nsomewhere\nOut of memory.")
        assert arguments["overrides"][0] == "split.kind=leave_last"
        measured(name, 0.3, arguments["baseline"]).write(result_file(tmp_path, name))
        return {"call_seconds": 1.0}

    monkeypatch.setattr(common, "fresh", fresh)
    measured("best", 0.4).write(result_file(tmp_path, "best"))
    options = Namespace(
        protocol="leave_last", data=None, presets="best,bpr,sequence", baselines="ease",
        overrides=[], output=tmp_path, short=False,
    )  # fmt: skip
    assert models.run(options) == {"bpr": "Out of memory."}
    assert asked == ["bpr", "sequence", "ease"]
    text = (tmp_path / "page.md").read_text()
    assert text.count("made-up: 10 test ratings.") == 1
    assert "| `best` | **0.4000 ±.010** |" in text
    assert "bpr failed: Out of memory." in text
    assert models.run(options) == {"bpr": "Out of memory."}
    assert asked == ["bpr", "sequence", "ease", "bpr"]


def test_the_page_names_the_protocol_and_has_its_columns() -> None:
    lists, stars = (page(name, [measured("best", 0.3)], {}) for name in ("random", "stars_u1"))
    assert lists.startswith("# Models, random\n")
    assert "Like accuracy" not in lists
    assert "|  | RMSE | MAE | Like accuracy | CPU s |" in stars


def test_the_better_stars_come_first() -> None:
    found = rows([measured("weak", 0.1), measured("strong", 0.3)], STAR_PATHS)
    assert [row[""] for row in found] == ["`strong`", "`weak`"]
    assert found[0]["Like accuracy"].startswith("**0.3000")
