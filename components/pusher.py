"""Pusher: TFX's own, with an atomic push, a bound on versions, and models that await promotion."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

from pathlib import Path

from absl import logging
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component
from tfx.v1.dsl.standard_annotations import Deploy

from components.artifacts import is_blessed, saved_model
from reelflow.registry.push import push
from reelflow.registry.storage import copy_model


@component(component_annotation=Deploy)
def Pusher(
    model: InputArtifact[Model],
    model_blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: OutputArtifact[PushedModel],
    directory: Parameter[str],
    keep: Parameter[int],
    await_promotion: Parameter[bool] = False,
) -> None:
    """Push a model that has both blessings to `directory/<version>`; see `push.push`.

    Args:
        model: the Trainer's.
        model_blessing: the Evaluator's.
        infra_blessing: ServingCheck's.
        pushed_model: gets a copy of what was pushed, and what TFX's Pusher sets: `pushed`,
            `pushed_destination` and `pushed_version`.
        directory: the serving folder.
        keep: versions to keep, the new one included.
        await_promotion: push nothing; the model is promoted later, by command.
    """
    if await_promotion or not (is_blessed(model_blessing) and is_blessed(infra_blessing)):
        pushed_model.set_int_custom_property("pushed", 0)
        return
    # What may fail comes first: once the push has renamed a folder, only the record is left.
    copy_model(saved_model(model), Path(pushed_model.uri))
    version = push(saved_model(model), Path(directory), keep=keep)
    logging.info("Model pushed to %s.", version)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_destination", str(version))
    pushed_model.set_string_custom_property("pushed_version", version.name)
