"""One turn of the schedule: run if there are new data; the results are kept in `OUTPUT/schedule/`.

`history.jsonl` has one line for each turn that has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Final, Literal

from reelflow.base.common import file_lock, is_locked
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout, code_hash
from reelflow.config.loading import config_hash
from reelflow.data import files
from reelflow.data.inputs import effective_config, open_data, window_of
from reelflow.data.spans import is_pattern

State = Literal["pushed", "refused", "failed", "unchanged", "skipped"]

DECIDED: Final = ("pushed", "refused")
"""States after which the same data are not trained on again."""
STATES: Mapping[int, State] = {0: "pushed", 3: "refused"}
"""Exit code of `reelflow run` to state; every other code is a failure."""
REELFLOW: Final = (sys.executable, "-c", "from pipeline.cli import main; main()")
"""The `reelflow` command, independent of PATH."""
KEPT_LOGS: Final = 200


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
        """Record the result of the turn that has begun, and remove all but the newest logs."""
        self.add(turn)
        self._current.unlink(missing_ok=True)
        for log in sorted(self.logs.glob("*.log"))[:-KEPT_LOGS]:
            log.unlink()

    def last_decided(self) -> Turn | None:
        """Return the newest turn whose run came to a verdict: pushed or refused."""
        return next((turn for turn in reversed(self.turns()) if turn.state in DECIDED), None)

    def add(self, turn: Turn) -> None:
        """Record a turn."""
        self.folder.mkdir(parents=True, exist_ok=True)
        complete = not self._file.is_file() or self._file.read_bytes()[-1:] in (b"", b"\n")
        with self._file.open("a", encoding="utf-8") as file:
            file.write(("" if complete else "\n") + json.dumps(asdict(turn)) + "\n")


@dataclass(frozen=True)
class Settings:
    """Options of `reelflow run`; None for its defaults."""

    config: str | None = None
    preset: str | None = None
    data: str | None = None
    dataset: str | None = None
    span: str | None = None
    overrides: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return the options as a command line."""
        names = ("config", "preset", "data", "dataset", "span")
        values = {f"--{name}": getattr(self, name) for name in names}
        words = [word for name, value in values.items() if value for word in (name, value)]
        return [*words, *(word for text in self.overrides for word in ("--set", text))]

    def effective(self, layout: Layout) -> Config:
        """Return the configuration that the run would have.

        Raises:
            BadInput: the data or the configuration cannot be used.
        """
        span = [] if self.span is None else [f"data.span={self.span}"]
        overrides = [*self.overrides, *span]
        return effective_config(
            layout, self.config, self.data, self.dataset, overrides, self.preset
        )


def take_turn(layout: Layout, settings: Settings, command: Sequence[str] = REELFLOW) -> Turn:
    """Run once if there are new data, and return the result as it is recorded.

    The run is a process of its own, so that its result is recorded whatever happens to it, even if
    it runs out of memory.

    Args:
        layout: the output folder.
        settings: of the run.
        command: gets `run` and its arguments.
    """
    history, started = History(layout), datetime.now(timezone.utc).astimezone()
    turn = Turn(started=started.isoformat(timespec="seconds"), state="failed")
    with file_lock(history.lock) as acquired:
        if not acquired or is_locked(layout.lock):
            busy = "Another run is at work in this folder."
            turn = replace(turn, state="skipped", message=busy)
            history.add(turn)
            return turn
        turn = replace(turn, log=str(history.logs / f"{started:%Y%m%d-%H%M%S}.log"))
        history.begin(turn)
        turn = _run(layout, settings, command, turn, history)
        history.end(turn)
    return turn


def _run(
    layout: Layout, settings: Settings, command: Sequence[str], turn: Turn, history: History
) -> Turn:
    try:
        config = settings.effective(layout)
        path = str(config.data.path)
        span = window_of(config, path).newest.name if is_pattern(path) else None
        turn = replace(turn, span=span, key=_key(config))
    except ReelflowError as error:
        return replace(turn, exit_code=error.exit_code, log=None, message=str(error))
    last = history.last_decided()
    if last is not None and last.key == turn.key:
        newest = f"span {turn.span}" if turn.span else "the files"
        message = f"No newer data than {newest} of {last.started}; nothing to do."
        return replace(turn, state="unchanged", log=None, message=message)
    arguments = [*command, "run", *settings.arguments(), "--output", str(layout.output)]
    began, runs_before = time.monotonic(), _run_ids(layout)
    with open(str(turn.log), "wb") as log:
        code = subprocess.run(
            arguments, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        ).returncode
    return replace(
        turn,
        state=STATES.get(code, "failed"),
        exit_code=code,
        seconds=round(time.monotonic() - began, 1),
        run_id=max(_run_ids(layout) - runs_before, default=None),
    )


def _key(config: Config) -> str:
    """Return a hash of all that decides what a run does: files, configuration, code."""
    paths = open_data(config, str(config.data.path)).paths
    parts = [files.fingerprint(paths), config_hash(config), code_hash()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _run_ids(layout: Layout) -> set[str]:
    return {path.name for path in layout.runs.iterdir()} if layout.runs.is_dir() else set()
