"""A version that is pinned: no run's push takes its place until it is unpinned."""

from __future__ import annotations

from typing import Final

from reelflow.registry.store import Registry

PINNED: Final = "reelflow.pinned"
"""Tag of the registered model: number of the pinned version; empty or absent without one."""


def pinned(registry: Registry) -> int | None:
    """Return the number of the pinned version; None without one, or without a registered model.

    Raises:
        NoAnswer: the registry does not answer.
    """
    if not registry.aliases():  # also if there is no such model
        return None
    with registry.asking():
        tags = registry.client.get_registered_model(registry.name).tags
    number = tags.get(PINNED, "")
    return int(number) if number.isdigit() else None


def pin(registry: Registry, number: int | None) -> None:
    """Pin a version, or with None unpin the one that is pinned.

    Raises:
        NoAnswer: the registry does not answer.
    """
    with registry.asking():
        text = "" if number is None else str(number)
        registry.client.set_registered_model_tag(registry.name, PINNED, text)
