"""Results of the scheduled turns: one line of JSON each, in `OUTPUT/schedule/`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

State = Literal["pushed", "refused", "failed", "unchanged", "skipped"]

DECIDED: Final = ("pushed", "refused")
"""States after which the same data are not trained on again."""
STATES: Mapping[int, State] = {0: "pushed", 3: "refused"}
"""Exit code of `reelflow run` to state; every other code is a failure."""


@dataclass(frozen=True)
class Turn:
    """One call by the timer."""

    started: str
    """Local time with its offset, ISO 8601."""
    state: State
    """`unchanged`: there were no new data; `skipped`: another run was at work."""
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


@dataclass(frozen=True)
class History:
    """The turns of one output folder."""

    folder: Path
    """`OUTPUT/schedule/`."""

    @property
    def lock(self) -> Path:
        """Locked by the process whose turn it is."""
        return self.folder / ".lock"

    @property
    def logs(self) -> Path:
        """A file for every turn that called `reelflow run`."""
        return self.folder / "logs"

    @property
    def _file(self) -> Path:
        return self.folder / "history.jsonl"

    @property
    def _current(self) -> Path:
        return self.folder / "current.json"

    def turns(self) -> list[Turn]:
        """Return all turns that have ended, the newest last."""
        if not self._file.is_file():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines()
        # A machine that lost its power may have left half a line at the end.
        return [Turn(**json.loads(line)) for line in lines if line.endswith("}")]

    def current(self) -> Turn | None:
        """Return the turn that has begun and has not ended: at work, or killed."""
        if not self._current.is_file():
            return None
        return Turn(**json.loads(self._current.read_text(encoding="utf-8")))

    def begin(self, turn: Turn) -> None:
        """Record that a turn begins; the caller has locked the folder.

        An earlier turn without an end was killed, and is recorded as failed.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        if (killed := self.current()) is not None:
            self.add(replace(killed, state="failed", message="It was killed before it ended."))
        partial = self._current.with_suffix(".part")
        partial.write_text(json.dumps(asdict(turn)), encoding="utf-8")
        os.replace(partial, self._current)

    def end(self, turn: Turn) -> None:
        """Record the result of the turn that has begun."""
        self.add(turn)
        self._current.unlink(missing_ok=True)

    def add(self, turn: Turn) -> None:
        """Record a turn."""
        self.folder.mkdir(parents=True, exist_ok=True)
        complete = not self._file.is_file() or self._file.read_bytes()[-1:] in (b"", b"\n")
        with self._file.open("a", encoding="utf-8") as file:
            file.write(("" if complete else "\n") + json.dumps(asdict(turn)) + "\n")

    def last_decided(self) -> Turn | None:
        """Return the newest turn whose run came to a verdict: pushed or refused."""
        return next((turn for turn in reversed(self.turns()) if turn.state in DECIDED), None)


def now() -> datetime:
    """Return the local time with its offset."""
    return datetime.now(timezone.utc).astimezone()
