"""The world of the soak: spans that arrive, an output folder, and what has to hold after a turn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.schedule.history import History, Turn
from reelflow.base.common import content_hash
from reelflow.config.layout import Layout
from reelflow.registry.push import versions
from reelflow.registry.store import CHAMPION, Registry, address
from tests.command import Ended
from tests.warm import Fault, Warm

USERS, MOVIES, ROWS, SPANS = 60, 111, 300, 8
FIRST: Final = date(2026, 1, 1)
HEADER: Final = "userId,movieId,rating,timestamp"
CONFIG: Final = f"""
[data]
partitions = 1
spans = {SPANS}
[split]
kind = "random"
[model]
query = "user_id"
mix = {{ towers = 1.0 }}
embedding_size = 8
rating_weight = 0
movie_words = 0
genres = false
year = false
[train]
seeds = 1
epochs = 3
learning_rate = 0.01
refit = false
[gate]
baselines = []
top_100_accuracy_margin = 0.9
[push]
keep = 3
[keep]
runs = 10
artifacts = 2
versions = 4
champions = 2
"""
DISK: Final = "640m"
"""Size of the file system of its own that the output folder gets."""


class World:
    """A folder of spans, an output folder on a small disk if that can be had, and the schedule."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder, self.warm = folder, warm
        self.layout = Layout.of(folder / "out")
        self.history = History(self.layout)
        self.days = 0
        folder.joinpath("ratings").mkdir(parents=True)
        self.layout.output.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.layout.output)]
        mounted = (
            os.geteuid() == 0
            and not subprocess.run(words, check=False, capture_output=True).returncode
        )
        self.own_disk = mounted
        """True if the disk may be filled: for root, where mounting is allowed."""
        (folder / "soak.toml").write_text(CONFIG, encoding="utf-8")
        titles = [f"m{m},Movie {m} ({1960 + m % 50}),Drama" for m in range(MOVIES)]
        text = "\n".join(["movieId,title,genres", *titles])
        (folder / "ratings" / "movies.csv").write_text(f"{text}\n", encoding="utf-8")

    def close(self) -> None:
        """Give the disk back."""
        if self.own_disk:
            subprocess.run(["umount", "-l", str(self.layout.output)], check=False)

    def rows(self, day: int) -> list[str]:
        """Good rows of a day: users turn to movies of their own kind, popular ones first."""
        random = np.random.default_rng(day)
        count = ROWS if day else 6 * ROWS  # at first, all movies have ratings
        users = random.integers(USERS, size=count)
        movies = np.floor(MOVIES * random.beta(1, 2, count)).astype(int) // 3 * 3 + users % 3
        stars = np.clip(np.round(3 + movies % 2 + random.normal(0, 0.7, count)), 1, 5)
        start = 1_767_225_600 + 86_400 * day
        return [
            f"u{user},m{movie},{star:.1f},{start + place}"
            for place, (user, movie, star) in enumerate(zip(users, movies, stars, strict=True))
        ]

    def arrive(self, rows: Sequence[str] | None = None) -> Path:
        """Deliver the next day, good or as given, and take away what no run reads any more."""
        day, self.days = self.days, self.days + 1
        folder = self.folder / "ratings" / (FIRST + timedelta(days=day)).isoformat()
        folder.mkdir()
        text = "\n".join([HEADER, *(self.rows(day) if rows is None else rows)])
        (folder / "ratings.csv").write_text(f"{text}\n", encoding="utf-8")
        old = self.folder / "ratings" / (FIRST + timedelta(days=day - 2 * SPANS)).isoformat()
        shutil.rmtree(old, ignore_errors=True)
        return folder

    def mend(self, span: Path) -> None:
        """Deliver a bad span again."""
        day = (date.fromisoformat(span.name) - FIRST).days
        text = "\n".join([HEADER, *self.rows(day)])
        (span / "ratings.csv").write_text(f"{text}\n", encoding="utf-8")

    def turn(self, *options: str, fault: Fault | None = None) -> tuple[Ended, Turn | None]:
        """Take a turn; the record is None if it was killed before it ended."""
        before = len(self.history.turns())
        words = ["--data", str(self.folder / "ratings"), "--span", "latest"]
        words += ["--output", str(self.layout.output), "--config", str(self.folder / "soak.toml")]
        ended = self.warm("schedule", "run", *words, *options, fault=fault)
        turns = self.history.turns()
        return ended, turns[-1] if len(turns) > before and self.history.current() is None else None

    @property
    def registry(self) -> Registry:
        """The registry of the output folder."""
        return Registry(address(None, self.layout.registry), "reelflow")

    def champion_is_served(self) -> bool:
        """Return True if alias, registered model and served folder are of one model."""
        champion, newest = self.registry.by_alias(CHAMPION), versions(self.layout.serving)[-1:]
        if champion is None or not newest:
            return False
        return champion.model_hash == content_hash(self.layout.serving / str(newest[0]))

    def bytes(self) -> tuple[int, int]:
        """Return the room that the output folder takes, shared files once, and its databases."""
        rooms: dict[bool, dict[int, int]] = {False: {}, True: {}}
        for path in self.layout.output.rglob("*"):
            file = path.lstat()
            is_database = path in (self.layout.metadata, self.layout.registry)
            rooms[is_database][file.st_ino] = file.st_blocks * 512
        return sum(rooms[False].values()), sum(rooms[True].values())

    def has_words(self, turn: Turn) -> bool:
        """Return True if a failed turn says why: itself, or its run in the log."""
        if turn.message:
            return True
        log = Path(turn.log or "")
        text = log.read_text(errors="replace") if log.is_file() else ""
        return any(word in text for word in ("error:", "Terminated.", "Interrupted."))

    def state_is_sound(self) -> bool:
        """Return True if nothing is left of work that was cut off."""
        parts = [".incoming-", ".outgoing-"]
        left = [p for p in self.layout.serving.glob(".*") if p.name.startswith(tuple(parts))]
        summary = self.layout.latest / "summary.json"
        return len(left) <= 3 and (not summary.exists() or bool(json.loads(summary.read_text())))
