"""Events as lines of a log, and as rows of a file of ratings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that a user did with a movie."""

    event_id: str
    user_id: str
    movie_id: str
    kind: str
    stars: float | None
    """Stars that it counts as, on the data's own scale; None without an opinion."""
    trains: bool
    """True if it is a row of the next span."""
    time: int
    """Seconds since 1970, by the server."""


@dataclass(frozen=True)
class Forgotten:
    """The order to forget a user's earlier events."""

    user_id: str


Entry = Event | Forgotten


def to_line(entry: Entry) -> bytes:
    """Return an entry as a line of a log."""
    content: dict[str, Any] = asdict(entry)
    if isinstance(entry, Forgotten):
        content = {"forget": entry.user_id}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse(data: bytes, lost: Callable[[], None]) -> Iterator[tuple[bytes, Entry]]:
    """Yield complete lines and their entries; `lost` is called for a line that is none."""
    for line in data.splitlines(keepends=True):
        try:
            content = json.loads(line)
            forget = content.get("forget")
            yield line, Event(**content) if forget is None else Forgotten(forget)
        except (ValueError, TypeError, AttributeError):
            lost()


def read(path: Path) -> Iterator[tuple[bytes, Entry]]:
    """Yield the complete lines of a log and their entries."""
    data = path.read_bytes()
    return parse(data[: data.rfind(b"\n") + 1], lambda: None)


def without_forgotten(entries: Iterable[Entry]) -> list[Event]:
    """Return events, each id once, without those before an order to forget their user."""
    events: dict[str, Event] = {}
    for entry in entries:
        if isinstance(entry, Event):
            events.setdefault(entry.event_id, entry)
        else:
            events = {i: e for i, e in events.items() if e.user_id != entry.user_id}
    return list(events.values())


def table(rows: Sequence[Event]) -> bytes:
    """Return a file of ratings, without a column for stars if no event has any."""
    with_stars = any(event.stars is not None for event in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["userId", "movieId", *["rating"][: int(with_stars)], "timestamp"])
    for event in rows:
        stars = [] if event.stars is None else [f"{event.stars:.15g}"]
        if with_stars == bool(stars):  # a model without stars had its turn in between
            writer.writerow([event.user_id, event.movie_id, *stars, event.time])
    return text.getvalue().encode()


def without_rows(data: bytes, user_id: str) -> tuple[bytes, int]:
    """Return a file that `table` has made without a user's rows, and how many are left."""
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    kept = [row for row in rows if row[0] != user_id]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *kept])
    return text.getvalue().encode(), len(kept)
