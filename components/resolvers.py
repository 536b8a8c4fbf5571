"""Resolvers of the model that the candidate is compared with, and of the one it starts from."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.components.evaluator import constants
from tfx.types import standard_component_specs as specs
from tfx.types.artifact import Artifact

from components.artifacts import saved_model
from components.registry_resolver import HASH
from reelflow.base.common import content_hash

REGISTERED: Final = "registered"
CANDIDATE: Final = "candidate"
ENCODED: Final = "encoded"
MODEL: Final = "model"
MODEL_BLESSING: Final = "model_blessing"

Artifacts: TypeAlias = dict[str, list[Artifact]]
IdsByKey: TypeAlias = dict[str, list[int]]
"""Ids of artifacts by the name of an execution's input or output."""

_Event = metadata_store_pb2.Event


class ChampionStrategy(tfx.dsl.experimental.ResolverStrategy):
    """The champion that RegistryResolver brought in.

    If the candidate is the champion already, it is the model that the candidate was last compared
    with in this MLMD, or none. So a second run on unchanged input asks the Evaluator what the
    first one asked, and the answer comes from the cache.

    Inputs: `registered` (RegistryResolver's Model, may be empty), `candidate` (the Trainer's),
    `model` and `model_blessing` (all that MLMD knows of). The output `model` has the result.
    """

    def resolve_artifacts(self, store: Any, input_dict: Artifacts) -> Artifacts:
        """Return one model or none; the other outputs are empty, since TFX wants them there."""
        champions, [candidate] = input_dict[REGISTERED], input_dict[CANDIDATE]
        for champion in input_dict[REGISTERED]:
            if content_hash(saved_model(candidate)) == champion.get_string_custom_property(HASH):
                champions = _baseline_of(candidate, input_dict)
        return {REGISTERED: [], CANDIDATE: [], MODEL_BLESSING: [], MODEL: champions}


def _baseline_of(candidate: Artifact, input_dict: Artifacts) -> list[Artifact]:
    """Return the baseline of the candidate's newest blessing."""
    for blessing in sorted(input_dict[MODEL_BLESSING], key=lambda blessing: -blessing.id):
        model, baseline = (
            blessing.get_int_custom_property(key)
            for key in (
                constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
            )
        )
        if model == candidate.id:
            return [model for model in input_dict[MODEL] if model.id == baseline]
    return []


class WarmStartStrategy(tfx.dsl.experimental.ResolverStrategy):
    """The champion that RegistryResolver brought in, unless it was trained on these very ratings.

    Then it is what the champion itself began with, or none: nothing is trained twice on the same,
    and a second run on unchanged input comes from the cache.

    Inputs: `registered` (RegistryResolver's Model, may be empty), `encoded` (this run's ratings),
    `model` (all that MLMD knows of). The output `model` has the result.
    """

    def resolve_artifacts(self, store: Any, input_dict: Artifacts) -> Artifacts:
        """Return one model or none; the other outputs are empty, since TFX wants them there."""
        start, [encoded] = input_dict[REGISTERED], input_dict[ENCODED]
        for champion in input_dict[REGISTERED]:
            for inputs, outputs in _executions_on(store, encoded):
                if any(_is_same(store, model, champion) for model in outputs.get(MODEL, ())):
                    base_models = inputs.get(specs.BASE_MODEL_KEY, [])
                    start = [model for model in input_dict[MODEL] if model.id in base_models]
        return {REGISTERED: [], ENCODED: [], MODEL: start}


def _executions_on(store: Any, encoded: Artifact) -> list[tuple[IdsByKey, IdsByKey]]:
    """Return inputs and outputs of every execution that has read these ratings, oldest first."""
    ids = {
        event.execution_id
        for event in store.get_events_by_artifact_ids([encoded.id])
        if event.type == _Event.INPUT
    }
    executions = []
    for execution in sorted(ids):
        sides: dict[Any, IdsByKey] = {_Event.INPUT: {}, _Event.OUTPUT: {}}
        for event in store.get_events_by_execution_ids([execution]):
            if event.type in sides and event.path.steps:
                key = event.path.steps[0].key
                sides[event.type].setdefault(key, []).append(event.artifact_id)
        executions.append((sides[_Event.INPUT], sides[_Event.OUTPUT]))
    return executions


def _is_same(store: Any, model: int, champion: Artifact) -> bool:
    """Return True if both are the same model, byte for byte."""
    [artifact] = store.get_artifacts_by_id([model])
    folder = saved_model(artifact)
    return folder.is_dir() and content_hash(folder) == champion.get_string_custom_property(HASH)
