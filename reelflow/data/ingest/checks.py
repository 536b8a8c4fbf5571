"""All that a run refuses data for, by what ingestion has counted.

One function for `reelflow data inspect`, for ExampleGen, which refuses before anything else is
done, and for DataGate, which adds what TFDV finds. Reasons are data, and come all at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, Feedback, SplitConfig, SplitKind
from reelflow.data.ingest.results import DriftReport, IngestSummary, SharedRows
from reelflow.data.ingest.split import MIN_LAST
from reelflow.data.quarantine import DUPLICATE, RATING_RANGE
from reelflow.data.schema import LONGEST_LIST, TIMES
from reelflow.data.words import id_sentence

Kind = Literal[
    "no_row",
    "no_valid_row",
    "same_rows",
    "same_name",
    "damaged_rows",
    "times",
    "one_rating",
    "long_list",
    "empty_split",
    "unknown_users",
    "drift",
    "span",
    "anomaly",
]

_COMPRESSED: Final = re.compile(r"\.(gz|bz2|xz|zip)$")
_MILLISECONDS: Final = 10**11
"""Seconds that no rating has: the year 5138. In milliseconds it is 1973."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data; `str` puts it in words, with a remedy."""

    kind: Kind
    where: str
    """As `ratings, split train, column year`."""
    text: str
    warning: bool = False
    """True if it stops nothing."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class DataRefused(BadInput):
    """The data is not fit to learn from.

    Attributes:
        reasons: everything that is wrong.
    """

    def __init__(self, reasons: Iterable[Finding]) -> None:
        self.reasons = tuple(reasons)
        lines = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"The data was refused, nothing was trained:{lines}")


def refuse(findings: Iterable[Finding]) -> list[Finding]:
    """Let good data pass, and return the warnings.

    Raises:
        DataRefused: with every reason at once, so that one round of mending is enough.
    """
    found = list(findings)
    reasons = [finding for finding in found if not finding.warning]
    if reasons:
        raise DataRefused(reasons)
    return found


def find_problems(
    summary: IngestSummary,
    data: DataConfig,
    split: SplitConfig,
    movies: pa.Table | None = None,
    drift: DriftReport | None = None,
    file: str | None = None,
) -> list[Finding]:
    """Return what is wrong with the data, and what only seems so, as warnings.

    Args:
        summary: counts of the rows.
        data: how many rows may be damaged, and how far a span may drift.
        split: the shares that were wanted.
        movies: the catalogue, `schema.MOVIES`, as `schema.FEATURES` has it; None: not looked at.
        drift: the newest span against the one before it; None without spans.
        file: path of the refused rows, for messages; None: they are on the page.
    """
    listed = ", ".join(summary.files)
    if not summary.rows.read:
        text = (
            f"no row was read: there are no ratings in {listed}. Check data.path and data.format."
        )
        return [Finding("no_row", "ratings", text)]
    same = of_files(summary)
    if not summary.rows.kept:
        return [*same, _none_kept(summary, listed, file)]
    return [
        *same,
        *damaged_rows(summary, data.max_quarantined, file),
        *_damaged_tables(summary, data.max_quarantined, file),
        *_times(summary),
        *_one_rating(summary),
        *_long_lists(movies),
        *_empty_splits(summary, split),
        *drift_reasons(drift, data.max_drift),
        *drift_warnings(drift),
    ]


def of_files(summary: IngestSummary) -> list[Finding]:
    """Return what the ratings files say of each other: rows in common, or the same name."""
    found = [_shared_rows(shared, summary) for shared in summary.shared]
    told = {name for shared in summary.shared for name in shared.files}
    stems: dict[str, str] = {}
    for name in summary.files:
        stem = _COMPRESSED.sub("", name)
        other = stems.setdefault(stem, name)
        if other != name and not {name, other} <= told:
            text = f"{other} and {name} have the same name but for the end; both are read."
            found.append(Finding("same_name", "ratings", text, warning=True))
    return found


def _shared_rows(shared: SharedRows, summary: IngestSummary) -> Finding:
    """Describe two files that have rows in common; that one holds the other stops the run."""
    first, second = shared.files
    inner = shared.contained
    # An event without a time may well be there again on another day.
    chance = not summary.ratings.says_likes and summary.times is None
    if inner is None or shared.spans or chance:
        added = summary.ratings.feedback is Feedback.COUNTS and summary.repeated_by is None
        text = (
            f"{shared.rows:,} rows of {first} ({shared.of[0]:,}) are also in {second} "
            f"({shared.of[1]:,}), and {'are added up' if added else 'count once'}."
        )
        return Finding("same_rows", "ratings", text, warning=True)
    outer = shared.files[1 - inner]
    text = (
        f"all {shared.of[inner]:,} rows of {shared.files[inner]} are also in {outer} "
        f"({shared.of[1 - inner]:,} rows): one is a copy or a sample of the other. "
        f'Set data.ratings = "{outer}", or take {shared.files[inner]} out of the folder.'
    )
    return Finding("same_rows", "ratings", text)


def _none_kept(summary: IngestSummary, listed: str, file: str | None) -> Finding:
    left_out = {**summary.quarantined, "data.unrated": summary.unrated}
    left_out |= {f"data.{name}": rows for name, rows in summary.filtered.items()}
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in left_out.items() if rows)
    text = f"none of the {summary.rows.read:,} ratings in {listed} is left: {reasons}. "
    if summary.refused:
        text += f"{_evidence(file)}; check data.format and the rating range. "
    text += f"{_id_hint(summary)}{_range_hint(summary)}"
    return Finding("no_valid_row", "ratings", text.strip())


def _evidence(file: str | None) -> str:
    if file is None:
        return "The first of them are listed under Quarantine"
    return f"The rows are in {file}"


def damaged_rows(summary: IngestSummary, share_max: float, file: str | None) -> list[Finding]:
    """Return the finding that more than a share of the rows, 0 to 1, is damaged, if so."""
    read, refused = summary.rows.read, summary.refused
    if refused <= share_max * read:
        return []
    by_count = sorted(summary.quarantined.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{reason} {count:,}" for reason, count in by_count if count)
    text = (
        f"{refused:,} of {read:,} rows are damaged ({refused / read:.2%}), and "
        f"data.max_quarantined allows {share_max:.2%} ({listed}). {_evidence(file)}; "
        f"mend them, or raise data.max_quarantined. {_id_hint(summary)}{_range_hint(summary)}"
    )
    if summary.quarantined.get(DUPLICATE.name, 0) > refused / 2:
        text += "Rows that are there twice may come from two copies of a file: see data.ratings."
    return [Finding("damaged_rows", "ratings", text.strip())]


def _damaged_tables(summary: IngestSummary, share_max: float, file: str | None) -> list[Finding]:
    """Return a finding for each file of movies or users of which more than a share is damaged."""
    found = []
    for table in summary.tables:
        if table.refused <= share_max * table.rows:
            continue
        listed = ", ".join(f"{reason} {count:,}" for reason, count in table.quarantined.items())
        text = (
            f"{table.refused:,} of {table.rows:,} rows are damaged "
            f"({table.refused / table.rows:.2%}), and data.max_quarantined allows "
            f"{share_max:.2%} ({listed}). {_evidence(file)}; mend them, or raise "
            "data.max_quarantined."
        )
        found.append(Finding("damaged_rows", f"{table.what}, {table.file}", text))
    return found


def _id_hint(summary: IngestSummary) -> str:
    return "" if summary.ids is None else f"{id_sentence(summary.ids)} "


def _range_hint(summary: IngestSummary) -> str:
    """Return the setting by which ratings out of range are right, if there are any."""
    scale = summary.ratings
    if not summary.quarantined.get(RATING_RANGE.name):
        return ""
    hints = []
    if scale.above is not None:
        hints.append(f"data.rating_max = {scale.above.highest:g}")
    if scale.below is not None:
        hints.append(f"data.rating_min = {scale.below.lowest:g}")
    unrated = "0 or -1" if scale.below is None else f"{scale.below.lowest:g}"
    settings = " and ".join(hints) or "data.rating_min and data.rating_max"
    return (
        f"If ratings out of range are right, set {settings}; a value that stands for "
        f'"not rated", as {unrated}, goes into data.unrated. '
    )


def _times(summary: IngestSummary) -> list[Finding]:
    """Refuse times that the schema has no room for."""
    if summary.times is None:
        return []
    first, last = summary.times
    lowest, highest = TIMES
    if lowest <= first and last <= highest:
        return []
    text = (
        f"the times go from {first:,} to {last:,}; seconds since 1970 are {lowest} to {highest:,}."
    )
    if last >= _MILLISECONDS:
        text += " These look like milliseconds: divide by 1,000."
    return [Finding("times", "ratings, column timestamp", text)]


def _one_rating(summary: IngestSummary) -> list[Finding]:
    """Warn of stars that are all the same once repeated ones have gone."""
    scale = summary.ratings
    if not scale.says_likes or scale.lowest < scale.highest:
        return []
    text = (
        f"every rating that is kept is {scale.lowest:g}: there are no stars to learn. "
        'Set data.feedback = "events", or another data.repeated.'
    )
    return [Finding("one_rating", "ratings", text, warning=True)]


def _long_lists(movies: pa.Table | None) -> list[Finding]:
    """Refuse movies with more genres or features than the schema has room for."""
    found = []
    for name in (columns.GENRES, columns.FEATURES):
        if movies is None or name not in movies.column_names or not movies.num_rows:
            continue
        lengths = pc.list_value_length(movies.column(name))
        longest = pc.max(lengths).as_py() or 0
        if longest > LONGEST_LIST:
            movie = movies.column(columns.MOVIE_ID)[pc.index(lengths, longest).as_py()]
            text = (
                f"movie {movie} has {longest:,} of them, and {LONGEST_LIST:,} are the most that "
                "a movie can have. Correct the line."
            )
            found.append(Finding("long_list", f"movies, column {name}", text))
    return found


def _empty_splits(summary: IngestSummary, split: SplitConfig) -> list[Finding]:
    """Refuse a split without rows, and test rows of unknown users alone."""
    rows = summary.rows
    wanted = [columns.TRAIN, columns.TEST, columns.VALIDATION]
    empty = [name for name in wanted if not rows.splits[name]]
    found = [
        Finding("empty_split", "ratings", f"the {name} split is empty: {_why(summary, split)}")
        for name in empty[:1]
    ]
    if not empty and summary.known_test == 0:
        text = (
            f"none of the {rows.test:,} test ratings is of a user with ratings in train, so that "
            "there is nothing to measure. Use another split.kind, or files of the same users."
        )
        found.append(Finding("unknown_users", "ratings", text))
    return found


def _why(summary: IngestSummary, split: SplitConfig) -> str:
    kept, kind = summary.rows.kept, summary.split.kind
    if kind is SplitKind.LEAVE_LAST:
        needed = split.validation_count + split.test_count + 1
        return (
            f"leave_last needs users with at least {needed} ratings, and none has as many. "
            "Lower split.validation and split.test, or use another split.kind."
        )
    if kind is SplitKind.LAST:
        return f"last needs users with at least {MIN_LAST} ratings. Use split.kind = 'random'."
    if kind is SplitKind.TEMPORAL:
        return (
            f"the timestamps of the {kept:,} ratings cannot be cut at the shares wanted, "
            "since too many are equal. Change the shares, or use split.kind = 'random'."
        )
    if kind is SplitKind.PREDEFINED:
        return "all rows of its files were refused. See the quarantine, or name other files."
    return f"{kept:,} ratings are too few for the shares wanted. Raise the share, or add ratings."


def drift_reasons(drift: DriftReport | None, drift_max: float | None) -> list[Finding]:
    """Return the columns whose drift is above `drift_max`, 0 to 1; none without a maximum."""
    if drift is None or drift_max is None:
        return []
    return [
        Finding(
            "drift",
            f"span {drift.newest}, column {change.column}",
            f"{change.measure} {change.value:.3f} against span {drift.previous}, and "
            f"data.max_drift allows {drift_max:g}. Find out what changed, or raise data.max_drift.",
        )
        for change in drift.changes
        if change.kind == "drift" and change.value > drift_max
    ]


def drift_warnings(drift: DriftReport | None) -> list[Finding]:
    """Return the changes above the schemas' thresholds."""
    changes = [] if drift is None else drift.warnings
    where = "" if drift is None else f"span {drift.newest}"
    return [Finding("drift", where, str(change), warning=True) for change in changes]
