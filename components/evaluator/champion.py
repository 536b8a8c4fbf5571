"""Which model the candidate is held against: the last one that was blessed before it."""

from __future__ import annotations

from typing import Any

from tfx import v1 as tfx
from tfx.types.artifact import Artifact


class ChampionStrategy(tfx.dsl.experimental.LatestBlessedModelStrategy):  # type: ignore[misc]
    """TFX's LatestBlessedModelStrategy, with the candidate itself out of the running.

    Without that, a second run on unchanged input would hold the model against itself: a new input
    for the Evaluator, and so a cache miss.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]] | None:
        """Takes `candidate` out of `model`, then resolves as TFX does."""
        candidates = {model.id for model in input_dict.pop("candidate")}
        input_dict["model"] = [m for m in input_dict["model"] if m.id not in candidates]
        resolved: dict[str, list[Artifact]] | None = super().resolve_artifacts(store, input_dict)
        return resolved
