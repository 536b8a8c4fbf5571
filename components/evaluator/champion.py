"""Which model the candidate is held against: the last one that was blessed before it."""

from __future__ import annotations

from typing import Any

from tfx import v1 as tfx
from tfx.types.artifact import Artifact


class ChampionStrategy(tfx.dsl.experimental.LatestBlessedModelStrategy):
    """TFX's LatestBlessedModelStrategy, with the candidate itself out of the running.

    Without that, a second run on unchanged input would hold the model against itself: a new input
    for the Evaluator, and so a cache miss.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]] | None:
        """Resolves as TFX does among the models that are not in `candidate`."""
        candidates = input_dict["candidate"]
        ids = {model.id for model in candidates}
        others = {
            "model": [model for model in input_dict["model"] if model.id not in ids],
            "model_blessing": input_dict["model_blessing"],
        }
        resolved: dict[str, list[Artifact]] | None = super().resolve_artifacts(store, others)
        # TFX wants every input back as an output.
        return None if resolved is None else {**resolved, "candidate": candidates}
