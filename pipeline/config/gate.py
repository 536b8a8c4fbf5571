"""What a model must clear before it is pushed."""

from __future__ import annotations

import difflib
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from pipeline.config.section import Section, Share

BASELINES: Final = ("popularity", "item_knn", "ease", "ials", "biased_mf")
"""Names of the baselines in `components.trainer.baselines`, which is too heavy to import here."""


def no_baseline(name: str) -> str:
    """What to say of a name that no baseline has."""
    close = difflib.get_close_matches(name, BASELINES, n=1)
    hint = f"the nearest is {close[0]}" if close else f"there are {', '.join(BASELINES)}"
    return f"there is no baseline {name!r}; {hint}"


def _check_baselines(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in BASELINES:
            raise ValueError(f"gate.baselines: {no_baseline(name)}")
    return names


class GateConfig(Section):
    """What a model must clear before it is pushed. Margins are absolute."""

    protocol: Literal["raw", "unseen"] = "unseen"
    """Which ranks the accuracy bounds look at: seen films kept (`raw`) or masked (`unseen`)."""
    top_100_accuracy_min: Share = 0.05
    """Top-100 accuracy, at least."""
    rmse_max: Annotated[float, Field(gt=0)] = 1.2
    """RMSE of predicted ratings, in stars, at most."""
    top_100_accuracy_margin: Share = 0.01
    """How far top-100 accuracy may fall below the champion's."""
    rmse_margin: Annotated[float, Field(ge=0)] = 0.01
    """How far RMSE may rise above the champion's, in stars."""
    baselines: Annotated[tuple[str, ...], AfterValidator(_check_baselines)] = ("popularity",)
    """Baselines whose top-100 accuracy the model must beat: popularity, item_knn, ease, ials,
    biased_mf."""
    baseline_margin: Share = 0.0
    """By how much the model's top-100 accuracy must beat every baseline's."""
    max_shared_pairs: Share = 0.01
    """Share of test rows whose user has rated the same film in train, at most."""
    untrained_tasks: bool = False
    """Hold a model to the bounds of a task that it was not trained on, too."""
    max_test_rows: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Rows of the test split to evaluate, at most, sampled by seed; the report states it."""
