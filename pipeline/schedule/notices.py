"""Notices of turns: a command is called after a bad one, a webhook after each."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from dataclasses import asdict, dataclass
from typing import Final

from pipeline.schedule.history import Turn

SECONDS: Final = 30.0
"""Time that a command or a webhook may take."""


@dataclass(frozen=True)
class Notices:
    """Receivers of a turn's result."""

    on_failure: str | None = None
    """Command for the shell, called after a turn that asks for attention."""
    webhook: str | None = None
    """Address that gets every turn by POST."""
    skips_max: int = 3
    """Turns skipped one after the other, from which on that is a failure."""

    def attention(self, turn: Turn) -> str | None:
        """Return why a turn asks for attention; None if it does not.

        A refusal does not: the gate has done its work, and the champion serves on.
        """
        if turn.state == "failed":
            return turn.message or f"The run ended with exit code {turn.exit_code}."
        if turn.state == "skipped" and turn.skips >= self.skips_max:
            return f"{turn.skips} turns in a row were skipped: a run may be hanging."
        if turn.serving is None and turn.state in ("pushed", "unchanged"):
            return "Nothing is served: the serving folder has no whole version."
        return None

    def tell(self, turn: Turn) -> list[str]:
        """Call the receivers, and return a sentence on each that failed."""
        why = self.attention(turn)
        content = {**asdict(turn), "attention": why}
        troubles = []
        if self.webhook is not None and (trouble := _post(self.webhook, content)):
            troubles.append(trouble)
        if self.on_failure is not None and why is not None:
            trouble = _call(self.on_failure, content)
            troubles += [trouble] if trouble else []
        return troubles


def _post(address: str, content: dict[str, object]) -> str | None:
    try:
        request = urllib.request.Request(
            address,
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "reelflow"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=SECONDS):
            return None
    except (OSError, ValueError) as error:
        return f"The webhook {address} does not answer: {error}."


def _call(command: str, content: dict[str, object]) -> str | None:
    """Call a command with the turn as JSON on stdin, and its parts as variables."""
    variables = {f"REELFLOW_{key.upper()}": str(value or "") for key, value in content.items()}
    try:
        done = subprocess.run(
            command,
            shell=True,
            input=json.dumps(content),
            text=True,
            env=os.environ | variables,
            timeout=SECONDS,
            check=False,
            capture_output=True,
        )
    except subprocess.TimeoutExpired:
        return f"--on-failure took longer than {SECONDS:g} seconds: {command}"
    if done.returncode:
        return f"--on-failure ended with {done.returncode}: {command}: {done.stderr.strip()}"
    return None
