"""Ratings that arrive in spans: a folder a day, or numbered folders, named by a pattern.

The placeholders are TFX's: `{SPAN}` for a number, or `{YYYY}`, `{MM}` and `{DD}` together for a
date; `{VERSION}` below either for a number of which the highest counts. `{SPAN:3}` has three
digits. A folder whose name does not fit the pattern to its last character is no span.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final, Literal

from pydantic import TypeAdapter

from reelflow.base.errors import BadInput
from reelflow.data import files

LATEST: Final = "latest"
ALL: Final = "all"
SHOWN: Final = 8
"""Spans that a message names at most."""

_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::(\d+))?\}")
_DATE = ("YYYY", "MM", "DD")
_DIGITS: Mapping[str, str] = {"YYYY": r"\d{4}", "MM": r"\d{2}", "DD": r"\d{2}"}
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Span:
    """One folder of ratings; the newest version of it."""

    number: int
    """As named; of a date the days since 1970-01-01, as TFX counts them."""
    name: str
    """As shown: `42` or `2026-11-21`."""
    folder: str


@dataclass(frozen=True)
class Window:
    """The spans that a run reads, in order of time."""

    spans: tuple[Span, ...]
    """Spans whose ratings are read; at least one."""
    earlier: tuple[Span, ...]
    """Older spans, whose movies and users count, but not their ratings."""
    above: str
    """The folder above all spans, which may hold the movies' and the users' file."""

    @property
    def newest(self) -> Span:
        """The last span."""
        return self.spans[-1]

    @property
    def names(self) -> list[str]:
        """Names of the spans whose ratings are read."""
        return [span.name for span in self.spans]

    def to_json(self) -> str:
        """Return JSON, for a parameter of a node."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Window:
        """Read what `to_json` made."""
        return TypeAdapter(cls).validate_json(text)

    def __str__(self) -> str:
        """`span 42`, or `3 spans, 2026-11-19 to 2026-11-21`."""
        if len(self.spans) == 1:
            return f"span {self.newest.name}"
        return f"{len(self.spans)} spans, {self.spans[0].name} to {self.newest.name}"


def is_pattern(path: str) -> bool:
    """Return True if a data path has placeholders."""
    return _PLACEHOLDER.search(path) is not None


def find_window(
    path: str,
    span: str | None = None,
    count: int | Literal["all"] = ALL,
    marker: str | None = None,
) -> Window:
    """Find the spans to read.

    Args:
        path: the data path, with placeholders.
        span: the newest span to read: `latest`, a number or a date; none: the latest.
        count: how many spans to read, or `all` up to that one; if there are fewer, those.
        marker: name of the file that says that a span is complete; none: every span is.

    Raises:
        BadInput: the pattern is wrong or fits no folder, or the span is not there or not complete.
    """
    _check(path)
    complete, incomplete = _find(path.rstrip("/"), marker)
    if incomplete and not complete:
        raise BadInput(
            f"No span of {path} is complete: {_listed([s.folder for s in incomplete])} "
            f"{'has' if len(incomplete) == 1 else 'have'} no {marker}.",
            "Wait until one has arrived, or unset data.span_marker.",
        )
    if not complete:
        raise BadInput(
            f"No folder with files fits {path}.",
            "{SPAN} stands for a number, {YYYY}-{MM}-{DD} for a date as 2024-10-04; "
            "folders whose names begin or end otherwise do not count.",
        )
    last = len(complete) - 1
    if span not in (None, LATEST):
        last = _position(str(span), complete, incomplete, path, marker)
    first = 0 if count == ALL else max(0, last + 1 - count)
    before = path[: path.index("{")]
    above = before.rpartition("/")[0] or ("/" if before.startswith("/") else ".")
    return Window(tuple(complete[first : last + 1]), tuple(complete[:first]), above)


def guess_pattern(folder: str) -> str:
    """Return the pattern of a folder's spans: `FOLDER/{YYYY}-{MM}-{DD}` or `FOLDER/{SPAN}`.

    Raises:
        BadInput: its sub-folders are neither dates nor numbers.
    """
    _, names = files.list_folder(folder)
    dates = [name for name in names if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name)]
    if dates:
        return files.join(folder, "{YYYY}-{MM}-{DD}")
    numbered = {m[1] for m in (re.fullmatch(r"(\D*)\d+", n) for n in names) if m is not None}
    prefixes = {prefix for prefix in numbered if prefix[:1] not in (".", "_")}
    if len(prefixes) == 1:
        return files.join(folder, f"{prefixes.pop()}{{SPAN}}")
    raise BadInput(
        f"A span is requested, and {folder} holds none: {_listed(names) or 'no sub-folders'}.",
        "Name spans by placeholders in the data path, as ratings/{YYYY}-{MM}-{DD} or "
        "ratings/{SPAN}, or leave --span out.",
    )


def _check(path: str) -> None:
    names = [match[1] for match in _PLACEHOLDER.finditer(path)]
    by_date = sorted(name for name in names if name in _DATE)
    right = (names.count("SPAN"), by_date) in ((1, []), (0, sorted(_DATE)))
    if not right or names.count("VERSION") > 1 or (names and names[0] == "VERSION"):
        raise BadInput(
            f"data.path: {path} has the wrong placeholders.",
            "Use {SPAN} once, or {YYYY}, {MM} and {DD} once each; {VERSION} may follow once.",
        )


def _find(path: str, marker: str | None) -> tuple[list[Span], list[Span]]:
    """Return complete spans and others, ascending, each by its newest version."""
    expression, at = "", 0
    for match in _PLACEHOLDER.finditer(path):
        name, width = match[1], match[2]
        digits = _DIGITS.get(name) or (rf"\d{{{width}}}" if width else r"\d+")
        expression += f"{re.escape(path[at : match.start()])}(?P<{name}>{digits})"
        at = match.end()
    expression += re.escape(path[at:])
    newest: dict[int, tuple[int, Span, bool]] = {}
    for folder, names in sorted(files.folders_like(_PLACEHOLDER.sub("*", path)).items()):
        fit = re.fullmatch(expression, folder)
        if fit is None:
            continue
        values = fit.groupdict()
        number, name = _number(values, folder)
        version = int(values.get("VERSION") or 0)
        complete = marker is None or marker in names
        before = newest.get(number)
        if before is not None and before[0] == version:
            raise BadInput(
                f"{before[1].folder} and {folder} are the same span.",
                "Remove one of them, or tell them apart by {VERSION} in the data path.",
            )
        # A version that still arrives does not hide the one before it.
        if before is None or (complete, version) > (before[2], before[0]):
            newest[number] = (version, Span(number, name, folder), complete)
    spans = [newest[number] for number in sorted(newest)]
    return [s for _, s, complete in spans if complete], [s for _, s, c in spans if not c]


def _number(values: Mapping[str, str], folder: str) -> tuple[int, str]:
    if "SPAN" in values:
        return int(values["SPAN"]), str(int(values["SPAN"]))
    try:
        day = date(*(int(values[part]) for part in _DATE))
    except ValueError:
        raise BadInput(f"{folder}: there is no such day.", "Rename or move the folder.") from None
    return (day - _EPOCH).days, day.isoformat()


def _position(
    span: str, complete: Sequence[Span], incomplete: Sequence[Span], path: str, marker: str | None
) -> int:
    if "{YYYY}" in path:
        try:
            digits = span.replace("-", "")
            day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise BadInput(f"Span {span} is no day.", "Give it as 2026-11-21.") from None
        number = (day - _EPOCH).days
    elif span.isdecimal():
        number = int(span)
    else:
        raise BadInput(f"Span {span} is no number.", "Give it as 42, or as latest.")
    for position, candidate in enumerate(complete):
        if candidate.number == number:
            return position
    for candidate in incomplete:
        if candidate.number == number:
            raise BadInput(
                f"Span {candidate.name} is not complete: {candidate.folder} has no {marker}.",
                "Wait until it has arrived, or unset data.span_marker.",
            )
    by_distance = sorted(complete, key=lambda s: abs(s.number - number))
    nearest = sorted(by_distance[:SHOWN], key=lambda s: s.number)
    raise BadInput(
        f"There is no span {span} in {path}.",
        f"There are {len(complete)}; the nearest: {_listed([s.name for s in nearest])}.",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
