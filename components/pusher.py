"""Pusher: TFX's own, with an atomic push, a bound on versions, and models on trial or waiting."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

from pathlib import Path

from absl import logging
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component
from tfx.v1.dsl.standard_annotations import Deploy

from components.artifacts import is_blessed, saved_model
from reelflow.registry.push import push
from reelflow.registry.storage import copy_model
from reelflow.registry.store import VARIANTS
from reelflow.registry.variants import has_served, place
from reelflow.saved_model.manifest import whole_versions


@component(component_annotation=Deploy)
def Pusher(
    model: InputArtifact[Model],
    model_blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: OutputArtifact[PushedModel],
    directory: Parameter[str],
    keep: Parameter[int],
    promote: Parameter[str] = "champion",
    share: Parameter[float] = 0.0,
    readers: Parameter[str] = "owner",
) -> None:
    """Push a model that has both blessings to `directory/<version>`; see `push.push`.

    Args:
        model: the Trainer's.
        model_blessing: the Evaluator's.
        infra_blessing: ServingCheck's.
        pushed_model: gets a copy of what was pushed, and what TFX's Pusher sets: `pushed`,
            `pushed_destination` and `pushed_version`; of a model on trial `pushed` is 0, and
            `variant` and `share` say what `pushed_version` is.
        directory: the serving folder.
        keep: versions to keep, the new one included.
        promote: `champion`; `canary` or `shadow`, unless nothing is served yet; empty to push
            nothing, as the model is promoted later, by command.
        share: of the users, for a model on trial.
        readers: `push.readers` of the configuration.
    """
    pushed_model.set_int_custom_property("pushed", 0)
    if not (promote and is_blessed(model_blessing) and is_blessed(infra_blessing)):
        return
    base = Path(directory)
    if promote in VARIANTS and whole_versions(base) and not has_served(saved_model(model), base):
        version = place(saved_model(model), base, promote, share, readers)
        logging.info("Model on trial in %s.", version)
        pushed_model.set_string_custom_property("variant", promote)
        pushed_model.set_string_custom_property("pushed_version", version.name)
        pushed_model.set_float_custom_property("share", share)
        return
    # What may fail comes first: once the push has renamed a folder, only the record is left.
    copy_model(saved_model(model), Path(pushed_model.uri))
    version = push(saved_model(model), base, keep=keep, readers=readers)
    logging.info("Model pushed to %s.", version)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_destination", str(version))
    pushed_model.set_string_custom_property("pushed_version", version.name)
