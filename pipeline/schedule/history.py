"""The turns of a schedule, kept in `OUTPUT/schedule/`; what is damaged in it stops no turn.

`history.jsonl` has one line for each turn that has ended, `current.json` the turn that has begun.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal

from reelflow.base.common import is_locked
from reelflow.config.layout import Layout

State = Literal["pushed", "waiting", "refused", "failed", "unchanged", "skipped"]

DECIDED: Final = ("pushed", "waiting", "refused")
"""States after which the same data are not trained on again."""
KEPT_LOGS: Final = 200


@dataclass(frozen=True)
class Turn:
    """One call by the timer."""

    started: str
    """Local time with its offset, ISO 8601."""
    state: State
    """`waiting`: the model passed and waits to be promoted; `unchanged`: there were no new data;
    `skipped`: another run was at work."""
    exit_code: int | None = None
    """Of `reelflow run`; None if it was not called, or was killed with this process."""
    seconds: float = 0.0
    span: str | None = None
    """The newest span that was read, if the data have spans."""
    run_id: str | None = None
    """Folder in `OUTPUT/runs/`, if the run got as far."""
    log: str | None = None
    """File with the output of the command."""
    message: str = ""
    key: str = ""
    """Hash of files, configuration and code."""
    skips: int = 0
    """Turns skipped one after the other, this one included."""
    serving: str | None = None
    """Newest version in the serving folder after the turn; None if nothing is served."""

    @property
    def code(self) -> int:
        """Exit code of the turn: that of `reelflow run`, negative after a signal; 0 without one."""
        return self.exit_code or 0


class History:
    """The turns of one output folder."""

    def __init__(self, layout: Layout) -> None:
        self.folder = layout.output / "schedule"
        self.lock = self.folder / ".lock"  # held by the process whose turn it is
        self.logs = self.folder / "logs"  # one file for each turn that called `reelflow run`
        self._file = self.folder / "history.jsonl"
        self._current = self.folder / "current.json"

    @property
    def at_work(self) -> bool:
        """True while a scheduled turn goes on."""
        return is_locked(self.lock)

    def turns(self) -> list[Turn]:
        """Return all turns that have ended, the newest last; lines that are damaged are left out.

        A machine that lost its power, or a full disk, may have left part of a line.
        """
        if not self._file.is_file():
            return []
        lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        return [turn for line in lines if (turn := _read(line)) is not None]

    def current(self) -> Turn | None:
        """Return the turn that has begun and has not ended: at work, or killed."""
        if not self._current.is_file():
            return None
        return _read(self._current.read_text(encoding="utf-8", errors="replace"))

    def begin(self, turn: Turn) -> None:
        """Record that a turn begins; the caller has locked the folder.

        An earlier turn without an end was killed, and is recorded as failed.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        if (killed := self.current()) is not None:
            self.add(replace(killed, state="failed", message="It was killed before it ended."))
        partial = self._current.with_suffix(".part")
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(turn)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self._current)

    def end(self, turn: Turn) -> None:
        """Record the result of the turn that has begun, and remove all but the newest logs."""
        self.add(turn)
        self._current.unlink(missing_ok=True)
        logs = sorted(self.logs.glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
        for log in logs[:-KEPT_LOGS]:
            log.unlink()

    def last_decided(self) -> Turn | None:
        """Return the newest turn whose run came to a verdict."""
        return next((turn for turn in reversed(self.turns()) if turn.state in DECIDED), None)

    def skips(self) -> int:
        """Return the number of turns that were skipped since the last one that was not."""
        newest = self.turns()[-1:]
        return newest[0].skips if newest and newest[0].state == "skipped" else 0

    def add(self, turn: Turn) -> None:
        """Record a turn; it is on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(asdict(turn)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def log_of(self, started: str) -> Path:
        """Return the log's path of a turn, by its time with offset: no two turns share one."""
        name = started.replace(":", "").replace("+", "p").replace("-", "")
        return self.logs / f"{name}-{os.getpid()}.log"


_FIELDS: Final = frozenset(field.name for field in fields(Turn))


def _read(text: str) -> Turn | None:
    """Return the turn that a line describes; None if the line is damaged."""
    try:
        content = json.loads(text)
        return Turn(**{key: value for key, value in content.items() if key in _FIELDS})
    except (ValueError, TypeError, AttributeError):
        return None
