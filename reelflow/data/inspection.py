"""The dress rehearsal of a run's ingestion: what was understood of a folder, and what is wrong.

Every step is the one that ExampleGen takes, and every check the one that it makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from reelflow.base import columns
from reelflow.config import Config, DataConfig, Format
from reelflow.data.formats.adapter import RatingsFile
from reelflow.data.formats.source import Source, open_source, open_window
from reelflow.data.ingest.checks import DataRefused, Finding, find_problems
from reelflow.data.ingest.outcome import Outcome, rehearse
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.data.ingest.span_checks import span_findings
from reelflow.data.inputs import window_of
from reelflow.data.quarantine import find_rows
from reelflow.data.spans import Window, guess_pattern, is_pattern
from reelflow.data.understood import reading_sentences, used_columns

TITLES: Final = 5
"""Movies to look at."""
GENRES: Final = 8
"""Most frequent genres to name."""
VALUES: Final = 8
"""Most frequent ratings to name."""


Why: TypeAlias = Literal["asked", "settings", "header", "names", "own"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileLayout(_Part):
    """One ratings file, as it was understood; all that `declared` does not name was found out."""

    name: str
    form: str
    """Value of `reelflow.data.formats.adapter.Form`."""
    header: bool
    delimiter: str
    """Empty if the form has none."""
    encoding: str
    line_end: str
    decimal: str
    times: str
    """As `data.timestamp_format`."""
    columns: dict[str, str]
    """Canonical column to its name in the file, or to its position from 1 without a header."""
    unused: list[str] = []
    """Columns that are not read."""
    declared: list[str] = []
    """Keys of `[data]` that say one of these."""
    compression: str = ""
    split: str | None = None
    """Split that a `predefined` file belongs to."""


class MovieLook(_Part):
    """One movie."""

    movie_id: str
    title: str
    genres: list[str]
    year: int | None


class Catalogue(_Part):
    """The movies, as a run would describe them."""

    file: str | None
    """Name of the movies' file; None: ids stand for titles."""
    movies: int
    rated: int
    """Movies with a rating that is kept."""
    first: list[MovieLook]
    """The first of them."""
    genres: int
    """Different genres."""
    frequent: dict[str, int]
    """The most frequent genres to their movies."""
    without_genres: int
    without_year: int


class RefusedRow(_Part):
    """A row that goes to quarantine, without its end; bytes that are no text are escaped."""

    file: str
    line: int
    reason: str
    row: str


class Problem(_Part):
    """A finding in words."""

    kind: str
    where: str
    text: str


class Inspection(_Part):
    """All that `reelflow data inspect` tells; its JSON is this."""

    folder: str
    format: str
    why: Why
    """Reason for the format: `data.format` (`asked`), other settings of `[data]`, the header of a
    known release, names of files that only one format has, or none of these (`own`)."""
    reading: list[str]
    """Sentences on how the ratings files were understood, and on those that are not read."""
    files: list[FileLayout]
    users_file: str | None
    """Name of the users' file; None without one, or without the opt-in."""
    summary: IngestSummary
    """Content of the `report.json` that ExampleGen would write."""
    values: dict[str, int]
    """The most frequent ratings to their rows; empty if too many are different."""
    catalogue: Catalogue
    preview: list[RefusedRow]
    """The first refused rows of every reason, in order of file and line; then those of movies and
    users."""
    drift: DriftReport | None = None
    """The newest span against the one before it, if the data have spans."""
    refused: list[Problem]
    """All that a run would refuse the data for."""
    warnings: list[Problem]

    def raise_for_refusal(self) -> None:
        """Refuse what a run would refuse, with its message.

        Raises:
            DataRefused: as ExampleGen would.
        """
        if self.refused:
            raise DataRefused(
                Finding(problem.kind, problem.where, problem.text)  # type: ignore[arg-type]
                for problem in self.refused
            )


def open_folder(config: Config, folder: str) -> tuple[Source, Window | None]:
    """Open a data folder, or a pattern of spans, as a run does.

    Raises:
        BadInput: the folder cannot be read as ratings.
    """
    folder = _as_pattern(config, folder)
    if not is_pattern(folder):
        return open_source(config.data, folder, config.split), None
    window = window_of(config, folder)
    return open_window(config.data, window, config.split), window


def _as_pattern(config: Config, folder: str) -> str:
    """Return the pattern of a folder's spans where the configuration asks for spans."""
    asked = config.data.span is not None and not is_pattern(folder)
    return guess_pattern(folder) if asked else folder


def inspect(
    config: Config,
    folder: str,
    first: int = 3,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Take every step of a run's ingestion, and describe what it comes to.

    Memory is bounded as `rehearse` says.

    Args:
        config: as for a run.
        folder: the data folder, or a pattern of spans.
        first: rows to preview per reason.
        progress: called with the bytes read since the last call.

    Raises:
        BadInput: the folder cannot be read as ratings.
    """
    data, split = config.data, config.split
    folder = _as_pattern(config, folder)
    source, window = open_folder(config, folder)
    outcome = rehearse(source, data, split, window, progress)
    drift = None if window is None else _drift(config, window, outcome.summary)
    findings = find_problems(outcome.summary, data, split, outcome.movies, drift)
    counts = outcome.summary.span_counts
    findings += span_findings(counts, window, config.data_gate, drift)
    problems = [(f.warning, Problem(kind=f.kind, where=f.where, text=f.text)) for f in findings]
    return Inspection(
        folder=folder,
        format=source.format.value,
        why=_why(data, source),
        reading=reading_sentences(source),
        files=[_layout(file) for file in source.ratings_files],
        users_file=None if source.users_file is None else _name(source.users_file),
        summary=outcome.summary,
        values=_frequent(outcome),
        catalogue=_catalogue(source, outcome),
        preview=_preview(source, outcome, first),
        drift=drift,
        refused=[problem for warning, problem in problems if not warning],
        warnings=[problem for warning, problem in problems if warning],
    )


def _drift(config: Config, window: Window, summary: IngestSummary) -> DriftReport | None:
    if not summary.rows.kept:
        return None
    from reelflow.data.ingest.drift import rehearse_drift

    return rehearse_drift(window, config.data, config.split, summary)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _layout(file: RatingsFile) -> FileLayout:
    layout = file.layout
    return FileLayout(
        name=file.name,
        form=layout.form.value,
        header=bool(layout.names),
        delimiter=layout.delimiter.decode(),
        encoding=layout.encoding,
        line_end=layout.line_end.decode(),
        decimal=layout.decimal,
        times=layout.times,
        columns=used_columns(file),
        unused=layout.unused,
        declared=sorted(layout.declared),
        compression=file.compression,
        split=file.split,
    )


def _why(config: DataConfig, source: Source) -> Why:
    """Return the reason for the format."""
    if config.format is not Format.AUTO:
        return "asked"
    if source.format is Format.MOVIELENS_CSV:
        return "header"
    if source.format is Format.CSV:
        settings = (config.columns, config.ratings, config.delimiter, config.header)
        return "settings" if any(value not in (None, {}) for value in settings) else "own"
    return "names"


def _frequent(outcome: Outcome) -> dict[str, int]:
    values = outcome.tally.values.values or {}
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    return {f"{value:g}": rows for value, rows in ordered[:VALUES]}


def _catalogue(source: Source, outcome: Outcome) -> Catalogue:
    movies = outcome.movies
    genres = pc.list_flatten(movies.column(columns.GENRES))
    counts = Counter(genres.to_pylist())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lengths = pc.list_value_length(movies.column(columns.GENRES))
    return Catalogue(
        file=None if source.movies_file is None else _name(source.movies_file),
        movies=movies.num_rows,
        rated=len(outcome.tally.movie_ids),
        first=[MovieLook(**row) for row in movies.slice(0, TITLES).to_pylist()],
        genres=len(counts),
        frequent=dict(ordered[:GENRES]),
        without_genres=int((lengths.to_numpy() == 0).sum()),
        without_year=movies.column(columns.YEAR).null_count,
    )


def _preview(source: Source, outcome: Outcome, first: int) -> list[RefusedRow]:
    """Return the first refused rows of every reason, of movies and users file by file."""
    rejected = outcome.tally.rejected
    file, offset, reason = (rejected.column(at).to_numpy() for at in range(3))
    order = np.lexsort((offset, file))
    chosen = [order[reason[order] == code][:first] for code in np.unique(reason)]
    rows = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    found = list(find_rows(rejected.take(pa.array(rows)), source.ratings_files))
    seen: Counter[tuple[str, str]] = Counter()
    for row in outcome.described.refused:
        seen[row.file, row.reason] += 1
        if seen[row.file, row.reason] <= first:
            found.append(row)
    return [
        RefusedRow(
            file=row.file,
            line=row.line,
            reason=row.reason,
            row=row.row.removesuffix(b"\r").decode("utf-8", errors="backslashreplace"),
        )
        for row in found
    ]
