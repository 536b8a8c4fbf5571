"""What the cache knows of, and somebody has removed since. Imports TFX."""

from __future__ import annotations

from tfx.proto.orchestration import pipeline_pb2

from components.pusher.push import versions
from pipeline import launcher
from pipeline.config import Config
from pipeline.layout import Layout
from serving.registry import Registry, address

PUSHER, REGISTRY_PUSHER = "Pusher", "RegistryPusher"


def forget_removed(
    ir: pipeline_pb2.Pipeline, config: Config, layout: Layout, node: str | None = None
) -> None:
    """Makes nodes run again whose results lie outside the artifacts and are not there any more.

    Args:
        ir: the compiled pipeline, which is changed.
        config: says where models go.
        layout: the output folder.
        node: the only node to look after; all of them by default.
    """
    if (
        node in (None, PUSHER)
        and config.registry.promote
        and not versions(layout.serving_of(config))
    ):
        launcher.without_cache(ir, PUSHER)
    if node in (None, REGISTRY_PUSHER):
        registry = address(config.registry.uri, layout.registry)
        if Registry(registry, config.registry.name).untouched:
            launcher.without_cache(ir, REGISTRY_PUSHER)
