"""One turn of the schedule: run if there are new data, and record the result."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.schedule.history import STATES, History, Turn, now
from reelflow.base.common import file_lock, is_locked
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout, code_hash
from reelflow.config.loading import config_hash
from reelflow.data import files
from reelflow.data.inputs import effective_config, open_data, window_of
from reelflow.data.spans import is_pattern

REELFLOW: Final = (sys.executable, "-c", "from pipeline.cli import main; main()")
"""The `reelflow` command, independent of PATH."""
KEPT_LOGS: Final = 200


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
        options = {
            "--config": self.config,
            "--preset": self.preset,
            "--data": self.data,
            "--dataset": self.dataset,
            "--span": self.span,
        }
        words = [word for name, value in options.items() if value for word in (name, value)]
        return [*words, *(word for text in self.overrides for word in ("--set", text))]

    def effective(self, layout: Layout) -> Config:
        """Return the configuration that the run would have.

        Raises:
            BadInput: the data or the configuration cannot be used.
        """
        overrides = list(self.overrides)
        if self.span is not None:
            overrides.append(f"data.span={self.span}")
        data, preset = self.data, self.preset
        return effective_config(layout, self.config, data, self.dataset, overrides, preset)


def take_turn(layout: Layout, settings: Settings, command: Sequence[str] = REELFLOW) -> Turn:
    """Run once if there are new data.

    The run is a process of its own, so that its result is recorded whatever happens to it, even if
    it runs out of memory.

    Args:
        layout: the output folder.
        settings: of the run.
        command: gets `run` and its arguments.

    Returns:
        The result, as it is recorded.
    """
    history, started = History(layout.output / "schedule"), now()
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
        _remove_old_logs(history.logs)
    return turn


def _run(
    layout: Layout, settings: Settings, command: Sequence[str], turn: Turn, history: History
) -> Turn:
    try:
        config = settings.effective(layout)
        turn = replace(turn, span=_newest_span(config), key=key_of(config))
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


def key_of(config: Config) -> str:
    """Return a hash of all that decides what a run does: files, configuration, code.

    Raises:
        BadInput: the data cannot be used.
    """
    paths = open_data(config, str(config.data.path)).paths
    parts = [files.fingerprint(paths), config_hash(config), code_hash()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def is_at_work(layout: Layout) -> bool:
    """Return True while a scheduled turn goes on."""
    return is_locked(History(layout.output / "schedule").lock)


def _newest_span(config: Config) -> str | None:
    path = str(config.data.path)
    return window_of(config, path).newest.name if is_pattern(path) else None


def _run_ids(layout: Layout) -> set[str]:
    return {path.name for path in layout.runs.iterdir()} if layout.runs.is_dir() else set()


def _remove_old_logs(folder: Path) -> None:
    for log in sorted(folder.glob("*.log"))[:-KEPT_LOGS]:
        log.unlink()
