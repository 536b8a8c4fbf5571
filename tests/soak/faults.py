"""The faults of the soak, and what a person does after those that need one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.soak.world import World
from tests.warm import HANG, KILL_TURN, Fault

NODES: Final = (
    *("RatingsExampleGen", "RatingsStatistics", "DataGate", "Transform", "RatingsEncoder"),
    *("Trainer", "Evaluator", "ServingCheck", "Pusher", "Report", "RegistryPusher"),
)
PLACES: Final = (
    "reelflow.registry.push:_take_version",
    "reelflow.registry.push:copy_model",
    "components.pusher:copy_model",
    "reelflow.registry.registration:package",
    "reelflow.registry.store:_version",
    "pipeline.runs.finish:write_summary",
    "pipeline.runs.retention:carry_out",
)
"""Functions within push, registration, summary and retention."""


@dataclass(frozen=True)
class Trouble:
    """One fault of one turn."""

    name: str
    fault: Fault | None = None
    """Befalls the run."""
    span: Callable[[World], list[str]] | None = None
    """Rows of the span that arrives; None for good ones."""
    around: Callable[[World], AbstractContextManager[None]] = lambda _world: nullcontext()
    """Damage before the turn, and what ends it afterwards."""
    options: tuple[str, ...] = ()
    new_data: bool = True
    """False if the turn has nothing new to learn."""
    states: tuple[str, ...] = ("failed",)
    """States that the turn may have."""


Damage = Callable[[World], AbstractContextManager[None]]


@contextmanager
def _nothing_served(world: World) -> Iterator[None]:
    shutil.rmtree(world.layout.serving)
    yield


@contextmanager
def _nothing_registered(world: World) -> Iterator[None]:
    world.registry.client.delete_registered_model("reelflow")
    yield


@contextmanager
def _damaged_history(world: World) -> Iterator[None]:
    with (world.history.folder / "history.jsonl").open("ab") as file:
        file.write(b'\x00{"started": "2026-01-01T0')
    (world.history.folder / "current.json").write_bytes(b"")
    yield


@contextmanager
def _damaged_database(world: World) -> Iterator[None]:
    world.layout.metadata.write_bytes(b"garbage" * 1000)
    yield
    world.layout.metadata.unlink()  # as the message says
    shutil.rmtree(world.layout.artifacts)


@contextmanager
def _locked_database(world: World) -> Iterator[None]:
    connection = sqlite3.connect(world.layout.metadata, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


@contextmanager
def _real_latest(world: World) -> Iterator[None]:
    latest = world.layout.latest
    latest.unlink()
    latest.mkdir()
    yield
    latest.rmdir()  # as the message says


@contextmanager
def _rolled_back(world: World) -> Iterator[None]:
    if len(world.registry.champions()) > 1:
        world.warm("models", "rollback", "--output", world.layout.output)
    yield


def full(room: int) -> Damage:
    """Return the damage of a disk with so many bytes left."""

    @contextmanager
    def filled(world: World) -> Iterator[None]:
        balloon = world.layout.output / "balloon"
        disk = os.statvfs(world.layout.output)
        with balloon.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - room)
        try:
            yield
        finally:
            balloon.unlink()

    return filled


def _nonsense(_world: World) -> list[str]:
    return ["nonsense"] * 200


def _empty(_world: World) -> list[str]:
    return []


def _poison(world: World) -> list[str]:
    return [*world.rows(world.days), *(f"p{n},m7,5.0,1790000000" for n in range(400))]


def deck(own_disk: bool) -> list[Trouble]:
    """Return every fault once, without those of a disk that cannot be filled.

    Most befall a run without new data, which has to bring back what was deleted: its first steps
    come from the cache, so that it takes seconds.
    """
    fine = ("pushed", "refused", "unchanged")
    old: dict[str, Any] = {"new_data": False, "around": _nothing_served}
    troubles = [
        *(Trouble(f"killed before {node}", Fault(node), **old) for node in NODES),
        *(Trouble(f"killed after {node}", Fault(node, after=True), **old) for node in NODES[-3:]),
        *(Trouble(f"new data, killed before {node}", Fault(node)) for node in NODES[5:7]),
        Trouble("turn killed", Fault("Pusher", what=KILL_TURN), states=(), **old),
        Trouble("hung", Fault("DataGate", what=HANG), options=("--time-limit", "30s"), **old),
        Trouble("nonsense", span=_nonsense),
        Trouble("empty span", span=_empty),
        Trouble("poison", span=_poison),
        Trouble("diverged", options=("--set", "train.learning_rate=1000000"), states=fine),
        Trouble("nothing served", states=("pushed",), **old),
        Trouble("rolled back", new_data=False, around=_rolled_back, states=fine),
        Trouble("damaged metadata.db", around=_damaged_database),
    ]
    for place in PLACES:
        name = place.partition(":")[2].lstrip("_")
        lost = (
            _nothing_registered if "registration" in place or "store" in place else _nothing_served
        )
        more = {"new_data": False, "around": lost}
        troubles.append(Trouble(f"killed before {name}", Fault(place), **more))
        troubles.append(Trouble(f"killed after {name}", Fault(place, after=True), **more))
    for name, damage, states in (
        ("nothing registered", _nothing_registered, ("pushed",)),
        ("damaged history", _damaged_history, fine),
        ("locked metadata.db", _both(_nothing_served, _locked_database), ("failed",)),
        ("latest is a folder", _both(_nothing_served, _real_latest), ("failed",)),
        *(
            (
                f"disk with {room // 1000} kB left",
                _both(_nothing_served, full(room)),
                (*fine, "failed"),
            )
            for room in ((0, 50_000, 200_000, 1_000_000) if own_disk else ())
        ),
    ):
        troubles.append(Trouble(name, new_data=False, around=damage, states=states))
    return troubles


def _both(first: Damage, second: Damage) -> Damage:
    @contextmanager
    def damaged(world: World) -> Iterator[None]:
        with first(world), second(world):
            yield

    return damaged


def span_of(world: World, trouble: Trouble) -> Path | None:
    """Deliver the span of a fault; None if it brings none."""
    if not trouble.new_data:
        return None
    return world.arrive(None if trouble.span is None else trouble.span(world))
