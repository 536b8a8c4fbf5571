"""`make soak`: 200 scheduled turns on small changing data, with faults drawn by seed, and a table.

After each fault the next turn is one without: it has to come to a verdict, and then champion, alias
and serving folder have to be of one model. The first thing that does not hold ends it.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from pipeline.schedule.history import Turn
from reelflow.base.common import format_duration
from tests.command import Ended
from tests.soak.faults import Trouble, deck, span_of
from tests.soak.world import World
from tests.warm import Warm

FAULTY, NEW = 0.2, 0.1
"""Shares of the turns with a fault, and with new data and none; the others have nothing to do."""
ENDING: Final = 8
"""Seconds, at most, that a run takes to end after its turn was killed."""
VERDICTS: Final = ("pushed", "refused", "unchanged")


@dataclass
class Account:
    """What has been seen."""

    states: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    megabytes: list[float] = field(default_factory=list)
    """Memory of the turns that ran, at most."""
    disk: list[int] = field(default_factory=list)
    """Bytes of the output folder after each turn, without the two databases."""
    databases: list[int] = field(default_factory=list)
    """Bytes of these, ML Metadata's and the registry's."""
    seconds: float = 0.0


class Soak:
    """The turns."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.account = world, Account()
        self._draw = random.Random(seed)
        self._deck: list[Trouble] = []

    def plan(self, turns: int) -> Iterator[Trouble | str]:
        """Yield what each turn is to be: a fault, `new`, or `unchanged`."""
        yield from ["new"] * 4  # so that there is a champion, and spans to be held against
        for _ in range(turns - 4):
            drawn = self._draw.random()
            if drawn < FAULTY:
                if not self._deck:
                    self._deck = deck(self.world.own_disk)
                    self._draw.shuffle(self._deck)
                yield self._deck.pop()
            else:
                yield "new" if drawn < FAULTY + NEW else "unchanged"

    def run(self, turns: int) -> None:
        """Take the turns.

        Raises:
            AssertionError: something does not hold.
        """
        plan = self.plan(turns)
        number = 0
        while number < turns:
            wanted = next(plan)
            number += 1
            if isinstance(wanted, Trouble):
                self._faulty(number, wanted)
                number += 1
                self._sound(number, f"after: {wanted.name}")
                self.account.recovered += 1
            else:
                if wanted == "new":
                    self.world.arrive()
                self._sound(number, wanted)

    def _faulty(self, number: int, trouble: Trouble) -> None:
        span = span_of(self.world, trouble)
        with trouble.around(self.world):
            ended, turn = self.world.turn(*trouble.options, fault=trouble.fault)
        self._note(number, trouble.name, ended, turn)
        self.account.troubles[trouble.name] += 1
        if turn is None:
            assert not trouble.states, f"{trouble.name}: the turn was killed, too"
        else:
            assert turn.state in trouble.states, f"{trouble.name}: {turn}"
        if trouble.span is not None and span is not None:
            self.world.mend(span)

    def _sound(self, number: int, why: str) -> None:
        ended, turn = self.world.turn()
        for _ in range(ENDING):
            if turn is not None or "skipped" not in ended.stdout:
                break
            time.sleep(1)  # the run of a turn that was killed is ending
            ended, turn = self.world.turn()
        self._note(number, why, ended, turn)
        assert turn is not None, f"{why}: {ended}"
        assert turn.state in VERDICTS, f"{why}: {turn}"
        assert turn.serving is not None, f"{why}: nothing is served"
        if turn.state != "unchanged" or number % 10 == 0:
            assert self.world.champion_is_served(), f"{why}: folder and registry differ"
            assert self.world.state_is_sound(), f"{why}: something is left"

    def _note(self, number: int, why: str, ended: Ended, turn: Turn | None) -> None:
        world, account = self.world, self.account
        state = "killed" if turn is None else turn.state
        account.states[state] += 1
        account.seconds += world.warm.seconds
        files, databases = world.bytes()
        account.disk.append(files)
        account.databases.append(databases)
        if state not in ("unchanged", "killed"):
            account.megabytes.append(world.warm.megabytes)
        print(
            f"{number:>4}  {why:<36}{state:<10}{account.disk[-1] / 1e6:>6.1f} MB "
            f"{world.warm.megabytes:>6.0f} MB {world.warm.seconds:>5.1f} s",
            flush=True,
        )
        if turn is not None:
            assert ended.stdout.strip(), f"{why}: the turn said nothing"
            assert turn.state != "failed" or world.has_words(turn), f"{why}: {turn} has no words"

    def table(self, wall: float) -> str:
        """Return the account as a table of Markdown."""
        account, states = self.account, self.account.states
        mega, disk = account.megabytes, [size / 1e6 for size in account.disk]
        third = len(disk) // 3
        runs = sum(states.values()) - states["unchanged"]
        grown = (account.databases[-1] - account.databases[0]) / max(runs, 1)
        rows = {
            "turns": sum(states.values()),
            "of them with a fault": sum(account.troubles.values()),
            "kinds of fault": len(account.troubles),
            "recovered by the next turn": account.recovered,
            "pushed": states["pushed"],
            "refused by the gate": states["refused"],
            "failed, with words": states["failed"],
            "killed, noted by the next turn": states["killed"],
            "unchanged": states["unchanged"],
            "disk, most in the first third": f"{max(disk[:third]):.1f} MB",
            "disk, most in the second third": f"{max(disk[third : 2 * third]):.1f} MB",
            "disk, most in the last third": f"{max(disk[2 * third :]):.1f} MB",
            "databases, for each run": f"{grown / 1000:.0f} kB",
            "memory, median of the first ten runs": f"{median(mega[:10]):.0f} MB",
            "memory, median of the last ten": f"{median(mega[-10:]):.0f} MB",
            "processor time": format_duration(account.seconds),
            "time": format_duration(wall),
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join(["| | |", "|---|---|", *lines])


def main() -> None:
    """Take the turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reelflow-soak-") as folder:
        path = Path(folder)
        with Warm(path) as warm:
            world = World(path / "world", warm)
            if not world.own_disk:
                print("Not root, or mounting is not allowed: no disk is filled.")
            try:
                soak = Soak(world, options.seed)
                soak.run(options.turns)
            except AssertionError:
                for turn in world.history.turns()[-2:]:
                    log = Path(turn.log or "")
                    print(turn, log.read_text() if log.is_file() else "", sep="\n")
                raise
            except KeyboardInterrupt:
                print("Ended early.")
            finally:
                world.close()
            print(f"\n{soak.table(time.monotonic() - began)}")


if __name__ == "__main__":
    sys.exit(main())
