"""One turn of the schedule: run if there are new data, within a time limit, and note the result."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Final

from pipeline.runs.summary import REFUSED, read_summary
from pipeline.runs.supervisor import PARENT
from pipeline.schedule.history import History, State, Turn
from reelflow.base.common import file_lock, format_duration, is_locked
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout, code_hash
from reelflow.config.loading import config_hash
from reelflow.data import files
from reelflow.data.inputs import effective_config, open_data, window_of
from reelflow.data.spans import is_pattern
from reelflow.registry.store import CHAMPION, VARIANTS, NoAnswer, Registry, address
from reelflow.saved_model.manifest import whole_versions

STATES: Mapping[int, State] = {0: "pushed", REFUSED: "refused"}
"""Exit code of `reelflow run` to state; every other code is a failure."""
REELFLOW: Final = (sys.executable, "-c", "from pipeline.cli import main; main()")
"""The `reelflow` command, independent of PATH."""
GRACE_SECONDS: Final = 60.0
"""Time that a run has to end after it was asked to."""


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


def take_turn(
    layout: Layout,
    settings: Settings,
    command: Sequence[str] = REELFLOW,
    limit: float | None = None,
) -> Turn:
    """Run once if there are new data, and return the result as it is recorded.

    The run is a process of its own, so that its result is recorded whatever happens to it, even if
    it runs out of memory. It ends with this process.

    Args:
        layout: the output folder.
        settings: of the run.
        command: gets `run` and its arguments.
        limit: seconds that the run may take; None: any time.

    Raises:
        KeyboardInterrupt: this process was asked to end; the run has ended, and it is recorded.
    """
    history, now = History(layout), datetime.now(timezone.utc).astimezone()
    turn = Turn(started=now.isoformat(timespec="seconds"), state="failed")
    with file_lock(history.lock) as acquired:
        if not acquired or is_locked(layout.lock):
            busy = "Another run is at work in this folder."
            turn = replace(turn, state="skipped", message=busy, skips=history.skips() + 1)
            turn = replace(turn, serving=_serving(layout, settings))
            history.add(turn)
            return turn
        turn = replace(turn, log=str(history.log_of(turn.started)))
        history.begin(turn)
        run = _Run(layout, settings, command, turn, history, limit)
        try:
            turn = run.result()
        except KeyboardInterrupt:
            message = "It was stopped, and its run with it."
            history.end(replace(run.turn, state="failed", message=message))
            raise
        turn = replace(turn, serving=_serving(layout, settings))
        history.end(turn)
    return turn


def _serving(layout: Layout, settings: Settings) -> str | None:
    """Return the newest whole version in the serving folder; None without one."""
    try:
        folder = layout.serving_of(settings.effective(layout))
    except ReelflowError:
        folder = layout.serving
    newest = whole_versions(folder)[:1]
    return newest[0].name if newest else None


def _has_champion(config: Config, layout: Layout) -> bool:
    """Return False if the registry has no champion; one that does not answer may have."""
    registry = Registry(address(config.registry.uri, layout.registry), config.registry.name)
    try:
        return not registry.untouched and registry.by_alias(CHAMPION) is not None
    except NoAnswer:
        return True


class _Run:
    """The run of a turn."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        command: Sequence[str],
        turn: Turn,
        history: History,
        limit: float | None,
    ) -> None:
        self._layout, self._settings, self._command = layout, settings, command
        self._history, self._limit = history, limit
        self.turn = turn
        """The turn as far as it is known."""

    def result(self) -> Turn:
        """Return the turn with its result."""
        try:
            config = self._settings.effective(self._layout)
            path = str(config.data.path)
            span = window_of(config, path).newest.name if is_pattern(path) else None
            self.turn = replace(self.turn, span=span, key=_key(config))
        except ReelflowError as error:
            return replace(self.turn, exit_code=error.exit_code, log=None, message=str(error))
        last = self._history.last_decided()
        if last is not None and last.key == self.turn.key and not self._is_gone(last, config):
            newest = f"span {self.turn.span}" if self.turn.span else "the files"
            message = f"No newer data than {newest} of {last.started}; nothing to do."
            return replace(self.turn, state="unchanged", log=None, message=message)
        return self._called()

    def _is_gone(self, last: Turn, config: Config) -> bool:
        """Return True if a run has to bring back what was pushed; its steps come from the cache."""
        if last.state != "pushed" or not config.registry.promote:
            return False
        return _serving(self._layout, self._settings) is None or not _has_champion(
            config, self._layout
        )

    def _called(self) -> Turn:
        began, runs_before = time.monotonic(), _run_ids(self._layout)
        code, message = self._call()
        run_id = max(_run_ids(self._layout) - runs_before, default=None)
        state = STATES.get(code, "failed")
        if state == "pushed" and run_id is not None:
            summary = read_summary(self._layout.run(run_id).summary)
            if summary is not None and not summary.pushed:
                state = "waiting"
                if summary.registered is not None and summary.registered.alias in VARIANTS:
                    message = f"It waits as {summary.registered.alias}."
        return replace(
            self.turn,
            state=state,
            exit_code=code,
            seconds=round(time.monotonic() - began, 1),
            run_id=run_id,
            message=message,
        )

    def _call(self) -> tuple[int, str]:
        """Call the command; return its exit code, and a message if it had to be ended."""
        arguments = [*self._command, "run", *self._settings.arguments()]
        arguments += ["--output", str(self._layout.output)]
        environment = os.environ | {PARENT: str(os.getpid())}
        with open(str(self.turn.log), "wb") as log:
            process = subprocess.Popen(
                arguments,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            try:
                return process.wait(self._limit), ""
            except subprocess.TimeoutExpired:
                _end(process)
                assert self._limit is not None
                return 1, f"It took longer than {format_duration(self._limit)} and was ended."
            except BaseException:
                _end(process)
                raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a run and its children to end, and kill what does not."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _key(config: Config) -> str:
    """Return a hash of all that decides what a run does: files, configuration, code."""
    paths = open_data(config, str(config.data.path)).paths
    parts = [files.fingerprint(paths), config_hash(config), code_hash()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _run_ids(layout: Layout) -> set[str]:
    return {path.name for path in layout.runs.iterdir()} if layout.runs.is_dir() else set()
