"""The page of the targets: leads with their sign, and which targets are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.targets import BOUND_PATHS, RANKED, Outcome, Reasons, lead, page, standing
from reelflow.base.metrics import PROTOCOLS
from reelflow.evaluation.contest import Entry

PATHS = [f"{by}/{key}" for by in PROTOCOLS for key in RANKED]


def _entry(name: str, accuracy: float, rmse: float, stars: float) -> Entry:
    noise = 0.001 * np.random.default_rng(0).normal(size=50)
    metrics = {**dict.fromkeys(PATHS, accuracy), "rmse": rmse, "stars_of_hits_10": stars}
    return Entry(
        name=name,
        metrics=metrics,
        intervals={path: (value - 0.01, value + 0.01) for path, value in metrics.items()},
        fit_seconds=1.0,
        parameters=1,
        resamples={path: value + noise for path, value in metrics.items()},
    )


MODEL, ALONE = _entry("reelflow", 0.28, 0.9, 4.1), _entry("retrieval", 0.3, 0.9, 3.9)
WORSE, BETTER = _entry("worse", 0.2, 1.0, 3.8), _entry("better", 0.4, 0.8, 4.2)


def test_a_lead_is_positive_where_the_model_is_better() -> None:
    assert lead(MODEL, WORSE, "unseen/top_10") == pytest.approx((0.08, 0.08))
    assert lead(MODEL, WORSE, "rmse") == pytest.approx((0.1, 0.1))
    assert lead(MODEL, BETTER, "rmse") == pytest.approx((-0.1, -0.1))
    assert math.isnan(lead(MODEL, WORSE, "unseen/top_3")[0])


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.1, 0.2), "above"),
        ((-0.1, 0.2), "level"),
        ((-0.2, -0.1), "below"),
        ((math.nan, math.nan), "not measured"),
    ],
)
def test_the_interval_of_the_lead_decides(ends: tuple[float, float], expected: str) -> None:
    assert standing(ends) == expected


def test_the_page_says_what_is_kept() -> None:
    outcome = Outcome(
        [MODEL, ALONE, WORSE, BETTER], Reasons(5, 50, 40, 200, 3), 1000, ["Data: made up."]
    )
    lines = page("Targets", outcome).splitlines()
    assert "- Data: made up." in lines
    bound = [line for line in lines if line.startswith("| Top-10") and "every baseline" in line]
    assert len(bound) == len(BOUND_PATHS)
    assert all("above: worse; below: better | no |" in line for line in bound)
    assert any("3 of 200 (1.5%)" in line and line.endswith("| no |") for line in lines)
    assert any("4.100 for 3.900" in line and line.endswith("| yes |") for line in lines)
    assert any("0.2800 for 0.3000 (+6.7% lost) | yes |" in line for line in lines)
    assert "| worse | 0.2000 ± 0.0100 [+0.0800, +0.0800] |" in "\n".join(lines)
