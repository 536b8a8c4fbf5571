"""The moment before a push: the lock of serving folder and registry, and the champion's identity.

Imports MLMD.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline import REGISTRY_RESOLVER
from pipeline.runs.lineage import read_run
from reelflow.base.common import file_lock
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.registry.pins import pinned
from reelflow.registry.store import CHAMPION, Registry, address

WAIT_SECONDS: Final = 120.0
"""Time that a push or a promotion takes at most, however large the model."""
_POLL_SECONDS: Final = 0.2


class ChampionMoved(ReelflowError):
    """The champion is another one than the run's model was held against."""

    def __init__(self) -> None:
        super().__init__("The champion changed while its challenger was judged.", "Run again.")


@contextmanager
def push_lock(layout: Layout) -> Iterator[None]:
    """Wait for, and hold, the lock of all that changes serving folder and registry.

    Raises:
        ReelflowError: another process has held it for too long.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with file_lock(layout.push_lock) as acquired:
            if acquired:
                yield
                return
        if time.monotonic() > deadline:
            raise ReelflowError(
                f"Another push or promotion in {layout.output} has not ended for "
                f"{WAIT_SECONDS:g} seconds.",
                "Look for its process; the lock goes with it.",
            )
        time.sleep(_POLL_SECONDS)


def registry_of(config: Config, layout: Layout) -> Registry:
    """Return the registry that a run registers its model in."""
    return Registry(address(config.registry.uri, layout.registry), config.registry.name)


def as_pinned(config: Config, layout: Layout) -> tuple[Config, int | None]:
    """Return the configuration, without promotion if a version is pinned; and that version.

    Raises:
        NoAnswer: the registry does not answer.
    """
    number = pinned(registry_of(config, layout))
    if number is None or not config.registry.promote:
        return config, number
    registry = config.registry.model_copy(update={"promote": False})
    return config.model_copy(update={"registry": registry}), number


def check_champion(config: Config, layout: Layout, run_id: str) -> None:
    """Check that the champion is still the one that the run's model was held against.

    Raises:
        ChampionMoved: it is another one, or a version was pinned meanwhile.
        NoAnswer: the registry does not answer.
    """
    registry = registry_of(config, layout)
    held = read_run(layout.metadata, run_id).find("Model", REGISTRY_RESOLVER)
    before = "" if held is None else str(held.properties.get("model_hash", ""))
    champion = registry.by_alias(CHAMPION)
    now = "" if champion is None else champion.model_hash
    if before != now or (config.registry.promote and pinned(registry) is not None):
        raise ChampionMoved
