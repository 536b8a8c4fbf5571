"""The rules file of a server, which may change while it runs."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge
from pydantic import ValidationError

from reelflow.base.errors import BadInput
from reelflow.serving.rules.messages import Rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

log = logging.getLogger("reelflow.serving")


class RulesFile:
    """The last good rules of a file.

    A change that is wrong is said in the log, the metrics and `/health`, and the rules before it
    stay in force.
    """

    def __init__(self, path: Path, registry: CollectorRegistry) -> None:
        """Read the file.

        Args:
            path: TOML, or JSON where the name ends in `.json`.
            registry: where the figures go.

        Raises:
            BadInput: it cannot be read, or holds no rules.
        """
        self._path = path
        self._loads = Counter(
            "reelflow_rules_loads_total",
            "Attempts to read the rules file, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._up = Gauge(
            "reelflow_rules_up",
            "1 if the rules file could be read when it last changed, else 0.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._state = self._look()
        self.rules = read(path)
        self.problem: str | None = None
        """The reason why the rules in force are not those of the file."""
        self._note("loaded")

    def refresh(self) -> None:
        """Read the file anew if it has changed."""
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self.rules = read(self._path)
        except BadInput as error:
            self.problem = str(error)
            log.warning("keeping the rules of before: %s", error)
            self._note("failed")
        else:
            self.problem = None
            log.info("new rules from %s", self._path)
            self._note("loaded")

    async def watch(self, seconds: float) -> None:
        """Look for a change every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def _note(self, outcome: str) -> None:
        self._loads.labels(outcome).inc()
        self._up.set(outcome == "loaded")

    def _look(self) -> object:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def read(path: Path) -> Rules:
    """Read rules from a file.

    Raises:
        BadInput: it cannot be read, or holds no rules.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return Rules.model_validate(content)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{path}: {place}: {first['msg']}.", "docs/how-to/applications.md has all rules."
        ) from error
    except ValueError as error:  # neither TOML nor JSON, or not UTF-8
        raise BadInput(f"{path}: {error}.") from error
