"""A durable log of what users do, beside the spans of ratings that it becomes.

```
FOLDER/span-1/ratings.csv               spans, read by `reelflow run --data FOLDER --span latest`
FOLDER/span-2/ratings.csv               made of log 1
FOLDER/_events/000001.span-2.jsonl      log 1, closed: an event a line
FOLDER/_events/000002.jsonl             the open log
```

Every process of a server appends to the open log, one at a time by a lock that the kernel releases
when its holder dies. A line counts once its end is there; what a killed process has left behind it
is cut off by the next one that writes. A span is renamed into place as a whole and never changes
afterwards, but for a user to be forgotten.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reelflow.base.errors import BadInput
from reelflow.data import files
from reelflow.data.event_lines import (
    Entry,
    Event,
    Forgotten,
    parse,
    read,
    table,
    to_line,
    without_forgotten,
    without_rows,
)
from reelflow.data.spans import guess_pattern

LOGS: Final = "_events"
"""Sub-folder of the logs; no span, as its name begins with an underscore."""
RATINGS: Final = "ratings.csv"
CLOSED_BYTES: Final = 16 << 20
"""Size from which on the open log is closed at once."""

_PREFIX: Final = "span-"
_LOCK: Final = "lock"
_NO_SPAN: Final = "none"
_LOG = re.compile(r"(\d{6,})(?:\.(.+))?\.jsonl")
_UNFINISHED: Final = ".new"


class EventLog:
    """The log of one folder of spans, read from its beginning and then as it grows.

    Several processes may have one each. Within a process it belongs to one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        """Open the log, and begin one if there is none.

        Raises:
            BadInput: the folder cannot be written, is not local, or holds spans by date.
        """
        if files.is_remote(str(folder)):
            raise BadInput(f"{folder}: events need a folder of this machine.")
        self.folder = folder
        self._logs = folder / LOGS
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._next_span()
            with self.locked():
                if not self._numbered():
                    self._create(1)
        except OSError as error:
            raise BadInput(f"Events cannot be kept in {folder}: {error.strerror}.") from error
        self._place = _Place()
        self._unchanged: tuple[int, int] = (-1, -1)
        self.lost = 0
        """Complete lines that could not be read."""
        self.waiting_since: float | None = None
        """Time of the oldest event read that waits for its span."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all other processes from writing."""
        with open(self._logs / _LOCK, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries to the disk; the log must be `locked`.

        Raises:
            OSError: they are not there, as when the disk is full.
        """
        number = max(self._numbered())
        with open(self._logs / _name(number), "r+b") as file:
            end = _end_of_lines(file)
            file.truncate(end)
            file.seek(end)
            try:
                file.write(b"".join(to_line(entry) for entry in entries))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise

    def follow(self) -> Iterator[Entry]:
        """Yield the entries that were added since the last call; all at the first one.

        Entries may come again after a user was forgotten: events are told apart by their ids.
        """
        state = (self._logs.stat().st_mtime_ns, self._size_of_open())
        if state == self._unchanged:
            return
        for number, name in sorted(self._numbered().items()):
            if number >= self._place.number:
                try:
                    found = self._rest(number, self._logs / name)
                except FileNotFoundError:  # closed in this moment; it comes by its new name
                    return
                yield from found
        self._unchanged = state

    def publish(self) -> Path | None:
        """Close the open log, and make a span of its ratings; return the span's folder.

        None if there was nothing to train on. Acknowledged events of all processes are in it.
        """
        with self.locked():
            return self._publish()

    def forget(self, user_id: str) -> int:
        """Remove a user's events from the log and from the spans made of it.

        Returns:
            Number of events removed from the log.
        """
        with self.locked():
            self.append([Forgotten(user_id)])
            self._publish()
            removed = 0
            for _, name in sorted(self._numbered().items())[:-1]:
                removed += self._forget_in(name, user_id)
            return removed

    def prune(self, before: float) -> None:
        """Empty the closed logs whose last event is older than a time; their spans stay."""
        with self.locked():
            for _, name in sorted(self._numbered().items())[:-1]:
                path = self._logs / name
                if not _span_of(name) or path.stat().st_mtime >= before:
                    continue
                if _span_of(name) == _NO_SPAN:
                    path.unlink()
                elif path.stat().st_size:
                    os.truncate(path, 0)  # its name tells which span is of events

    def _publish(self) -> Path | None:
        self._finish()
        number = max(self._numbered())
        entries = [entry for _, entry in read(self._logs / _name(number))]
        if not entries:
            return None
        self._create(number + 1)
        return self._make_span(number)

    def _finish(self) -> None:
        """Finish what a killed process has begun: spans of closed logs."""
        *closed, _ = sorted(self._numbered().items())
        for number, name in closed:
            unfinished = self._logs / f"{number:06}{_UNFINISHED}"
            if _span_of(name) == "":
                shutil.rmtree(unfinished, ignore_errors=True)
                self._make_span(number)
            elif unfinished.exists():
                self._place_span(unfinished, name)

    def _make_span(self, number: int) -> Path | None:
        """Make the span of a closed log, whose name tells it afterwards."""
        path = self._logs / _name(number)
        kept = without_forgotten([entry for _, entry in read(path)])
        rows = [event for event in kept if event.trains]
        if not rows:
            path.rename(self._logs / _name(number, _NO_SPAN))
            _sync(self._logs)
            return None
        unfinished = self._logs / f"{number:06}{_UNFINISHED}"
        unfinished.mkdir()
        _write(unfinished / RATINGS, table(rows))
        _sync(unfinished)
        name = _name(number, self._next_span())
        path.rename(self._logs / name)
        _sync(self._logs)
        return self._place_span(unfinished, name)

    def _place_span(self, unfinished: Path, name: str) -> Path:
        span = self.folder / _span_of(name)
        if span.exists():  # one of the same number was delivered meanwhile
            number = int(name.split(".")[0])
            span = self.folder / self._next_span()
            (self._logs / name).rename(self._logs / _name(number, span.name))
        unfinished.rename(span)
        _sync(self.folder)
        return span

    def _next_span(self) -> str:
        """Return the name of the next span, after those that are there.

        Raises:
            BadInput: they are named by date.
        """
        if not any(re.search(r"\d$", name) for name in files.list_folder(str(self.folder))[1]):
            return f"{_PREFIX}1"
        pattern = guess_pattern(str(self.folder))
        if "{SPAN}" not in pattern:
            raise BadInput(
                f"The spans of {self.folder} are named by date; those of events are numbered.",
                "Name another folder, or call the spans span-1, span-2 and so on.",
            )
        prefix = Path(pattern).name.removesuffix("{SPAN}")
        names = (path.name for path in self.folder.iterdir() if path.is_dir())
        matches = (re.fullmatch(rf"{re.escape(prefix)}(\d+)", name) for name in names)
        return f"{prefix}{1 + max(int(match[1]) for match in matches if match)}"

    def _forget_in(self, name: str, user_id: str) -> int:
        path = self._logs / name
        kept, removed = [], 0
        for line, entry in read(path):
            if isinstance(entry, Event) and entry.user_id == user_id:
                removed += 1
            else:
                kept.append(line)
        if removed:
            _replace(path, b"".join(kept))
        ratings = self.folder / _span_of(name) / RATINGS
        if ratings.is_file():
            before = ratings.read_bytes()
            after, left = without_rows(before, user_id)
            if not left:
                shutil.rmtree(ratings.parent)
            elif after != before:
                _replace(ratings, after)
        return removed

    def _rest(self, number: int, path: Path) -> list[Entry]:
        """Return the entries of a log from the present place on, and move the place."""
        with open(path, "rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            place = self._place
            if (place.number, place.inode) != (number, inode):
                place = _Place(number, inode, 0)
                self.waiting_since = None
            file.seek(place.offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._place = _Place(number, inode, place.offset + len(data))
        entries = [entry for _, entry in parse(data, self._count_lost)]
        trains = (e.time for e in entries if isinstance(e, Event) and e.trains)
        self.waiting_since = self.waiting_since or next(trains, None)
        return entries

    def _count_lost(self) -> None:
        self.lost += 1

    def _size_of_open(self) -> int:
        try:
            return os.stat(self._logs / _name(self._place.number)).st_size
        except FileNotFoundError:
            return -1

    @property
    def is_large(self) -> bool:
        """True if the open log should be closed for its size."""
        return self._size_of_open() >= CLOSED_BYTES

    def _numbered(self) -> dict[int, str]:
        matches = (_LOG.fullmatch(name) for name in os.listdir(self._logs))
        return {int(match[1]): match[0] for match in matches if match}

    def _create(self, number: int) -> None:
        _write(self._logs / _name(number), b"")
        _sync(self._logs)


def has_events(folder: str) -> bool:
    """Return True if a folder of spans has a log of events beside them."""
    return not files.is_remote(folder) and os.path.isdir(os.path.join(folder, LOGS))


@dataclass(frozen=True)
class _Place:
    number: int = 0
    inode: int = 0
    offset: int = 0


def _name(number: int, span: str = "") -> str:
    return f"{number:06}.{span}.jsonl" if span else f"{number:06}.jsonl"


def _span_of(name: str) -> str:
    match = _LOG.fullmatch(name)
    return (match and match[2]) or ""


def _end_of_lines(file: Any) -> int:
    """Return the position behind the last complete line of a file."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        block = file.read(end - start)
        if (last := block.rfind(b"\n")) >= 0:
            return int(start + last + 1)
        end = start
    return 0


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, data: bytes) -> None:
    """Exchange a file's content in one step, its time of change kept."""
    before = path.stat()
    new = path.with_name(f".{path.name}.new")
    _write(new, data)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
