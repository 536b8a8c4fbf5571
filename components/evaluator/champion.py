"""Which model the candidate is held against: the registry's champion, unless that is itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx import v1 as tfx
from tfx.components.evaluator import constants
from tfx.types.artifact import Artifact
from tfx.utils import path_utils

from components.pusher.content import content_hash
from components.registry_resolver.executor import HASH

REGISTERED = "registered"
CANDIDATE = "candidate"
MODEL = "model"
MODEL_BLESSING = "model_blessing"


class ChampionStrategy(tfx.dsl.experimental.ResolverStrategy):
    """The champion that RegistryResolver brought in.

    If the candidate is the champion already, it is the model that the candidate was last held
    against in this MLMD, or none. So a second run on unchanged input asks the Evaluator what the
    first one asked, and the answer comes from the cache.

    Inputs: `registered` (RegistryResolver's Model, may be empty), `candidate` (the Trainer's),
    `model` and `model_blessing` (all that MLMD knows of). The output `model` has the result.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Finds the one model or none; the other outputs are empty, since TFX wants them there."""
        registered, [candidate] = input_dict[REGISTERED], input_dict[CANDIDATE]
        found = registered
        if any(_same(candidate, champion) for champion in registered):
            found = _held_against(candidate, input_dict)
        return {REGISTERED: [], CANDIDATE: [], MODEL_BLESSING: [], MODEL: found}


def _same(candidate: Artifact, champion: Artifact) -> bool:
    """Whether both are the same model, byte for byte."""
    mine = content_hash(Path(path_utils.serving_model_path(candidate.uri)))
    return mine == champion.get_string_custom_property(HASH)


def _held_against(candidate: Artifact, input_dict: dict[str, list[Artifact]]) -> list[Artifact]:
    """The baseline of the candidate's newest blessing."""
    of_model = constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
    against = constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY
    blessings = sorted(input_dict[MODEL_BLESSING], key=lambda blessing: -blessing.id)
    for blessing in blessings:
        if blessing.get_int_custom_property(of_model) == candidate.id:
            number = blessing.get_int_custom_property(against)
            return [model for model in input_dict[MODEL] if model.id == number]
    return []
