"""Runs that are killed at every border, disks that fill, state that is damaged; and the next run.

One model is trained. Its steps then come from the cache, while push and registration are done anew,
since serving folder and registered model are taken away before each fault.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.registry.push import versions
from tests.command import Ended
from tests.soak.faults import PLACES, full
from tests.soak.world import World
from tests.warm import HANG, Fault, Warm

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("chaos")
    with Warm(folder) as warm:
        world = World(folder / "world", warm)
        try:
            world.arrive()
            first = run(world)
            assert first.code == 0, first.output
            yield world
        finally:
            world.close()


def run(world: World, fault: Fault | None = None, **memory: int) -> Ended:
    words = ["--data", str(world.folder / "ratings" / "{YYYY}-{MM}-{DD}")]
    words += ["--output", str(world.layout.output), "--config", str(world.folder / "soak.toml")]
    return world.warm("run", *words, fault=fault, **memory)


def take_away(world: World) -> None:
    """Let the next run push and register anew."""
    shutil.rmtree(world.layout.serving, ignore_errors=True)
    if not world.registry.untouched and world.registry.versions():
        world.registry.client.delete_registered_model("reelflow")


def check(world: World) -> None:
    """Folder, alias and registered model are of one model, or `models list` says what to do."""
    whole = world.champion_is_served()
    if not whole:
        listed = world.warm("models", "list", "--output", world.layout.output)
        assert listed.code in (0, 2), listed.output
        nothing = not versions(world.layout.serving) or not world.registry.versions()
        assert nothing or "promote" in listed.output, listed.output


def recovers(world: World, lost: int = 0) -> None:
    """The next run completes; `lost` is the number of versions that may be there twice."""
    after = run(world)
    assert after.code == 0, after.output
    assert world.champion_is_served()
    assert world.state_is_sound()
    assert len(world.registry.versions()) == 1
    assert len(versions(world.layout.serving)) == 1 + lost
    [execution] = sqlite3.connect(world.layout.metadata).execute(
        "select count(*) from Execution where last_known_state in (1, 2)"
    )
    assert execution == (0,)  # none is running for ever


def test_a_run_that_is_killed_at_any_border(world: World) -> None:
    nodes = _nodes(world)
    assert len(nodes) > 15
    take_away(world)
    for node in nodes:  # each run is the one after the kill before
        killed = run(world, Fault(node))
        assert killed.code == 137, f"{node}: {killed.output}"
        assert "The run was ended by SIGKILL" in killed.stderr
        assert "The run was ended by SIGKILL" in (world.layout.latest / "summary.json").read_text()
        check(world)
    killed = run(world, Fault(nodes[-1], after=True))
    assert killed.code == 137
    check(world)
    recovers(world)


def _nodes(world: World) -> list[str]:
    """Names of the nodes in their order."""
    lines = run(world).stdout.splitlines()
    return [line.split()[2 if line.startswith("[ ") else 1] for line in lines if line[:1] == "["]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_is_killed_inside_push_or_registration(
    world: World, place: str, after: bool
) -> None:
    take_away(world)
    killed = run(world, Fault(place, after))
    assert killed.code == 137, killed.output
    check(world)
    recovers(world)


@pytest.mark.parametrize("room", [0, 50_000, 400_000, 1_500_000])
def test_a_disk_that_fills(world: World, room: int) -> None:
    if not world.own_disk:
        pytest.skip("a small disk of its own needs root, and the right to mount")
    take_away(world)
    with full(room)(world):
        ended = run(world)
        check(world)
    assert ended.code == 0 or "The disk is full" in ended.stderr, ended.output
    recovers(world)


def test_a_disk_without_any_room_is_said(world: World) -> None:
    if not world.own_disk:
        pytest.skip("a small disk of its own needs root, and the right to mount")
    before = world.layout.latest.resolve()
    with full(0)(world):
        ended = run(world)
    assert ended.code in (1, 2)
    assert "The disk is full" in ended.stderr or "No space left" in ended.stderr
    assert before.is_dir()
    recovers(world)


def test_memory_that_cannot_be_had(world: World) -> None:
    ended = run(world, bytes=2_000_000_000)
    assert ended.code not in (0, 2), ended.output
    assert "memory" in ended.stderr
    assert (world.layout.latest / "summary.json").is_file()
    recovers(world)


def test_a_damaged_database_is_said(world: World) -> None:
    kept = world.layout.metadata.read_bytes()
    world.layout.metadata.write_bytes(b"garbage" * 1000)
    ended = run(world)
    assert ended.code == 2
    assert "is not ML Metadata's database" in ended.stderr
    world.layout.metadata.unlink()
    ended = run(world)
    assert ended.code == 2
    assert "which knows them, is gone" in ended.stderr
    world.layout.metadata.write_bytes(kept)
    recovers(world)


def test_a_locked_database_is_said(world: World) -> None:
    connection = sqlite3.connect(world.layout.metadata, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    ended = run(world)
    connection.close()
    assert ended.code == 2
    assert "another program uses it" in ended.stderr
    recovers(world)


def test_latest_as_a_folder_is_said(world: World) -> None:
    latest: Path = world.layout.latest
    latest.unlink()
    latest.mkdir()
    ended = run(world)
    latest.rmdir()
    assert ended.code == 2
    assert "is not the link to the newest run" in ended.stderr
    recovers(world)


def test_a_turn_over_damaged_state(world: World) -> None:
    history = world.history
    history.logs.mkdir(parents=True, exist_ok=True)
    (history.folder / "history.jsonl").write_bytes(b'\x00{"started": "2026-')
    (history.folder / "current.json").write_bytes(b"")
    (history.folder / ".lock").write_bytes(b"someone else's")
    ended, turn = world.turn("--set", "data.spans=7")
    assert ended.code == 0, ended.output
    assert turn is not None
    assert turn.state == "pushed"
    assert world.champion_is_served()


def test_a_turn_that_hangs_is_ended_and_the_next_one_comes_to_a_verdict(world: World) -> None:
    ended, turn = world.turn("--time-limit", "8s", fault=Fault("RatingsExampleGen", what=HANG))
    assert turn is not None
    assert (turn.state, turn.message) == ("failed", "It took longer than 8.0 s and was ended.")
    assert ended.code == 1
    assert "Terminated." in Path(str(turn.log)).read_text()
    _, after = world.turn()
    assert after is not None
    assert after.state == "pushed"
