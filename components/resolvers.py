"""Which model the candidate is held against: the registry's champion, unless that is itself."""

from __future__ import annotations

from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.components.evaluator import constants
from tfx.types import standard_component_specs as specs
from tfx.types.artifact import Artifact

from components.artifacts import saved_model
from components.registry_resolver import HASH
from reelflow.registry.push import content_hash

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
        """Find the one model or none; the other outputs are empty, since TFX wants them there."""
        registered, [candidate] = input_dict[REGISTERED], input_dict[CANDIDATE]
        found = registered
        if any(_same(candidate, champion) for champion in registered):
            found = _held_against(candidate, input_dict)
        return {REGISTERED: [], CANDIDATE: [], MODEL_BLESSING: [], MODEL: found}


def _same(candidate: Artifact, champion: Artifact) -> bool:
    """Whether both are the same model, byte for byte."""
    return content_hash(saved_model(candidate)) == champion.get_string_custom_property(HASH)


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


# Which model a warm start begins with.


ENCODED = "encoded"

Named = dict[str, list[int]]

_Event = metadata_store_pb2.Event


class BeginningStrategy(tfx.dsl.experimental.ResolverStrategy):
    """The champion that RegistryResolver brought in, unless it was trained on these very ratings.

    Then it is what the champion itself began with, or none: nothing is trained twice on the same,
    and a second run on unchanged input comes from the cache.

    Inputs: `registered` (RegistryResolver's Model, may be empty), `encoded` (this run's ratings),
    `model` (all that MLMD knows of). The output `model` has the result.
    """

    def resolve_artifacts(
        self, store: Any, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Find the one model or none; the other outputs are empty, since TFX wants them there."""
        found, [encoded] = input_dict[REGISTERED], input_dict[ENCODED]
        for champion in input_dict[REGISTERED]:
            for inputs, outputs in _trainings(store, encoded):
                if any(_same_model(store, model, champion) for model in outputs.get(MODEL, ())):
                    begun = inputs.get(specs.BASE_MODEL_KEY, [])
                    found = [model for model in input_dict[MODEL] if model.id in begun]
        return {REGISTERED: [], ENCODED: [], MODEL: found}


def _trainings(store: Any, encoded: Artifact) -> list[tuple[Named, Named]]:
    """Ids of the inputs and of the outputs, by name, of all that has read these ratings."""
    readers = {
        event.execution_id
        for event in store.get_events_by_artifact_ids([encoded.id])
        if event.type == _Event.INPUT
    }
    found = []
    for reader in sorted(readers):
        sides: dict[Any, Named] = {_Event.INPUT: {}, _Event.OUTPUT: {}}
        for event in store.get_events_by_execution_ids([reader]):
            if event.type in sides and event.path.steps:
                name = event.path.steps[0].key
                sides[event.type].setdefault(name, []).append(event.artifact_id)
        found.append((sides[_Event.INPUT], sides[_Event.OUTPUT]))
    return found


def _same_model(store: Any, model: int, champion: Artifact) -> bool:
    """Whether both are the same model, byte for byte."""
    [artifact] = store.get_artifacts_by_id([model])
    folder = saved_model(artifact)
    return folder.is_dir() and content_hash(folder) == champion.get_string_custom_property(HASH)
