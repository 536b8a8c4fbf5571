"""Timers of the machine for scheduled turns: a systemd user timer, or a line for cron."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Literal

from reelflow.base.errors import BadInput, ReelflowError

Every = Literal["hour", "day", "week", "month"]
Kind = Literal["systemd", "cron"]

_SYSTEMD: dict[Every, str] = {
    "hour": "*-*-* *:{minute:02d}:00",
    "day": "*-*-* {hour:02d}:{minute:02d}:00",
    "week": "Sun *-*-* {hour:02d}:{minute:02d}:00",
    "month": "*-*-01 {hour:02d}:{minute:02d}:00",
}
_CRON: dict[Every, str] = {
    "hour": "{minute} * * * *",
    "day": "{minute} {hour} * * *",
    "week": "{minute} {hour} * * 0",
    "month": "{minute} {hour} 1 * *",
}


@dataclass(frozen=True)
class Job:
    """A command with its folder and its times."""

    output: Path
    command: tuple[str, ...]
    folder: Path
    """The working directory: relative paths on the command line are seen from here."""
    every: Every
    at: str
    """Local time, `HH:MM`; of `hour` the minutes count."""

    @property
    def name(self) -> str:
        """Name of the units, or last word of the line."""
        return job_name(self.output)

    def when(self, forms: dict[Every, str]) -> str:
        """Return the times in a timer's syntax, given its form for each period.

        Raises:
            BadInput: `at` is no time of the day.
        """
        match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", self.at)
        if match is None:
            raise BadInput(f"--at {self.at}: not a time of the day.", "Give it as 03:00.")
        if self.every != "hour" and (day := missing_day(int(match[1]), int(match[2]))):
            raise BadInput(
                f"--at {self.at}: clocks here go forward over it on {day:%Y-%m-%d}, and the turn "
                "of that day would be left out.",
                "Choose a time that every day has, as 04:00.",
            )
        return forms[self.every].format(hour=int(match[1]), minute=int(match[2]))


class Systemd:
    """Timers of the user's own systemd."""

    def text(self, job: Job) -> str:
        """Return both unit files, each under its path."""
        return "\n".join(f"# {path}\n{text}" for path, text in self._units(job).items())

    def install(self, job: Job) -> str:
        """Write the units in place of earlier ones, start the timer, and return its file.

        Raises:
            ReelflowError: systemd refuses.
        """
        for path, text in self._units(job).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _call(["systemctl", "--user", "daemon-reload"])
        _call(["systemctl", "--user", "enable", "--now", f"{job.name}.timer"])
        return str(self._path(job.name, "timer"))

    def remove(self, name: str) -> str | None:
        """Stop the timer, delete the units and return the timer's file; None if there is none."""
        timer = self._path(name, "timer")
        if not timer.is_file():
            return None
        _call(["systemctl", "--user", "disable", "--now", timer.name])
        timer.unlink()
        self._path(name, "service").unlink(missing_ok=True)
        _call(["systemctl", "--user", "daemon-reload"])
        return str(timer)

    def _units(self, job: Job) -> dict[Path, str]:
        # systemd expands % in every value and $ in commands.
        escaped = {key: str(value).replace("%", "%%") for key, value in vars(job).items()}
        quotes = str.maketrans({"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$"})
        command = " ".join(f'"{word.translate(quotes)}"' for word in job.command)
        service = (
            f"[Unit]\nDescription=Reelflow trains again: {escaped['output']}\n\n"
            f"[Service]\nType=oneshot\nWorkingDirectory={escaped['folder']}\n"
            f"ExecStart={command}\n"
            "# A model that the gate refuses is no fault of the service.\nSuccessExitStatus=3\n"
        )
        timer = (
            f"[Unit]\nDescription=When Reelflow trains again: {escaped['output']}\n\n"
            f"[Timer]\nOnCalendar={job.when(_SYSTEMD)}\n"
            "# What the machine slept through is made up for.\nPersistent=true\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
        return {self._path(job.name, "service"): service, self._path(job.name, "timer"): timer}

    def _path(self, name: str, kind: str) -> Path:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(home, "systemd", "user", f"{name}.{kind}")


class Cron:
    """A line in the user's crontab, recognised by its last word."""

    def text(self, job: Job) -> str:
        """Return the line."""
        words = " ".join(shlex.quote(word) for word in job.command)
        line = f"cd {shlex.quote(str(job.folder))} && {words}".replace("%", "\\%")
        return f"{job.when(_CRON)} {line} # {job.name}\n"

    def install(self, job: Job) -> str:
        """Add the line in place of an earlier one of its name, and return its place.

        Raises:
            ReelflowError: cron refuses.
        """
        lines = [line for line in self._lines() if not line.endswith(f"# {job.name}")]
        self._write([*lines, self.text(job).rstrip("\n")])
        return f"the crontab, # {job.name}"

    def remove(self, name: str) -> str | None:
        """Remove the line and return its place; None if there is none."""
        lines = self._lines()
        others = [line for line in lines if not line.endswith(f"# {name}")]
        if len(others) == len(lines):
            return None
        self._write(others)
        return f"the crontab, # {name}"

    def _lines(self) -> list[str]:
        # Without a crontab, the command fails.
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
        return listed.stdout.splitlines() if listed.returncode == 0 else []

    def _write(self, lines: Sequence[str]) -> None:
        _call(["crontab", "-"], "".join(f"{line}\n" for line in lines))


def missing_day(hour: int, minute: int) -> date | None:
    """Return the first day of the next two years without this local time; None if all have it."""
    today = date.today()
    for number in range(731):
        day = today + timedelta(days=number)
        wanted = datetime.combine(day, clock_time(hour, minute))
        # A time that a change of clocks leaves out comes back from the epoch as another one.
        if datetime.fromtimestamp(wanted.timestamp()) != wanted:
            return day
    return None


def job_name(output: Path) -> str:
    """Return `reelflow-output-1a2b3c`, from the folder's name and a hash of its path."""
    word = re.sub(r"[^A-Za-z0-9]+", "-", output.name).strip("-") or "output"
    return f"reelflow-{word}-{hashlib.sha256(str(output).encode()).hexdigest()[:6]}"


def clock(name: Kind | None) -> Systemd | Cron:
    """Return the clock of a name, or the one of this machine.

    Raises:
        BadInput: the machine has none.
    """
    if name is None:
        command = ["systemctl", "--user", "show-environment"]
        systemd = shutil.which("systemctl") is not None and (
            subprocess.run(command, capture_output=True, check=False).returncode == 0
        )
        name = "systemd" if systemd else "cron"
        if name == "cron" and shutil.which("crontab") is None:
            raise BadInput(
                "This machine has neither a systemd of yours nor cron.",
                "Install cron, or let something else call the command that "
                "`reelflow schedule --with cron` prints.",
            )
    return Systemd() if name == "systemd" else Cron()


def _call(command: Sequence[str], text: str | None = None) -> None:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BadInput(f"There is no {command[0]} on this machine.") from None
    if done.returncode:
        raise ReelflowError(f"{shlex.join(command)} failed: {done.stderr.strip()}")
