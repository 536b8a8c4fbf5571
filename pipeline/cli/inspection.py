"""The page of `reelflow data inspect`: what was understood, what was found, what a run would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from pipeline.cli.output import console, labelled, new_table, print_labelled
from reelflow.base.nouns import MOVIE, Noun
from reelflow.data.words import day, filter_sentences, id_sentence, scale_sentences, split_sentence

if TYPE_CHECKING:
    from reelflow.base.errors import BadInput
    from reelflow.data.formats.summary import TableSummary
    from reelflow.data.inspection import Inspection
    from reelflow.evaluation.outlook import Outlook

_REFUSED: Final = "A run would refuse these data, and train nothing."
_WIDTH: Final = 13
"""Of the labels."""
_LONGEST_ROW: Final = 200
"""Characters of a row or a title that are shown."""
_SHOWN_LAYOUTS: Final = 3
"""Mappings of columns that are shown, of ratings files that differ."""
_WHY: Final = {
    "asked": "as data.format says",
    "settings": "as other settings of [data] say",
    "header": "by the header of the ratings, and the movies' file beside them",
    "names": "by the names of its files",
    "own": "as the files are no known release",
}
_ENCODINGS: Final = {"utf-8": "UTF-8", "latin-1": "Latin-1", "cp1252": "Windows-1252"}
_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}


def show(
    inspection: Inspection, planned: Outlook, noun: Noun = MOVIE, command: str | None = None
) -> None:
    """Print all of an inspection but its refusal, which is an error.

    Args:
        inspection: the findings.
        planned: what a run would do.
        noun: the word for an item.
        command: the run's; None if it would refuse.
    """
    _section("Understood", _understood(inspection, noun))
    _section("Found", _found(inspection, noun))
    _titles(inspection, noun)
    _quarantine(inspection)
    if inspection.summary.rows.kept:
        _section("A run would", _plan(inspection, planned, command))
    for warning in inspection.warnings:
        _line("Warning", Text(f"{warning.where}: {warning.text}", style="yellow"))
    console.print(Text(verdict(inspection), style="bold"), soft_wrap=True)


def as_json(inspection: Inspection, planned: Outlook) -> dict[str, Any]:
    """Return the same as data."""
    return {
        **inspection.model_dump(mode="json"),
        "outlook": planned.model_dump(mode="json"),
        "verdict": verdict(inspection),
    }


def refusal_as_json(folder: str, error: BadInput) -> dict[str, Any]:
    """Return as data that a folder cannot be read, with the settings that the remedy suggests."""
    problem = {"kind": "unreadable", "where": folder, "text": error.message}
    return {
        "folder": folder,
        "refused": [problem],
        "remedy": error.remedy,
        "settings": list(error.settings),
        "verdict": _REFUSED,
    }


def verdict(inspection: Inspection) -> str:
    """Return the last line: what a run would come to."""
    if inspection.refused:
        return _REFUSED
    rows = inspection.summary.rows
    return (
        f"A run would train on {rows.train:,} ratings, validate on {rows.validation:,} and test "
        f"on {rows.test:,}."
    )


def _section(title: str, lines: Iterator[tuple[str, str | Text]]) -> None:
    console.print(Text(title, style="bold underline"))
    for label, value in lines:
        _line(label, value)
    console.print()


def _line(label: str, value: str | Text) -> None:
    print_labelled(console, labelled(label, value, _WIDTH), _WIDTH)


def _understood(inspection: Inspection, noun: Noun) -> Iterator[tuple[str, str | Text]]:
    summary, catalogue = inspection.summary, inspection.catalogue
    synthetic = " (synthetic)" if summary.synthetic else ""
    yield "Format", f"{inspection.format}{synthetic}, {_WHY[inspection.why]}"
    if summary.spans:
        yield "Spans", f"{len(summary.spans):,}, the newest {summary.spans[-1]}"
    for at, sentence in enumerate(inspection.reading):
        yield ("" if at else "Ratings"), _printable(sentence)
    used = {_named(file.columns, file.header, ()): None for file in inspection.files}
    for columns in list(used)[:_SHOWN_LAYOUTS]:
        yield "", columns
    if catalogue.file is None:
        yield noun.labels, "no file: ids stand for titles"
    for table in summary.tables:
        yield noun.labels if table.what == "movies" else "Users", _of_table(table)
        yield "", _named(table.columns, table.header, table.unused)
    if inspection.users_file is None:
        yield "Users", "no file, or not opted in (data.use_users)"


def _of_table(table: TableSummary) -> str:
    parts = [f"{table.file}: {table.form}"]
    if table.delimiter:
        parts.append(f"delimiter {_DELIMITERS.get(table.delimiter, table.delimiter)}")
        parts.append("with a header" if table.header else "no header")
        parts.append(_ENCODINGS.get(table.encoding, table.encoding))
    if table.genres is not None and table.genres.separator:
        by = "as declared" if table.genres.declared else "found out"
        parts.append(f'genres by "{table.genres.separator}" ({by})')
    elif table.genres is not None and table.genres.listed:
        parts.append("genres as lists")
    if table.links is not None:
        parts.append(f"ids by {table.links}")
    if table.credits is not None:
        parts.append(f"people from {table.credits}")
    if table.kept < table.rows:
        parts.append(f"{table.kept:,} of {table.rows:,} rows kept")
    if table.unlinked:
        parts.append(f"{table.unlinked:,} are not in {table.links}")
    if table.duplicates:
        parts.append(f"{table.duplicates:,} are there twice")
    return ", ".join(parts)


def _named(of_columns: Mapping[str, str], header: bool, unused: Sequence[str]) -> str:
    named = ", ".join(
        f"{column} = {_shown(name)}" if header else f"{column} = column {name}"
        for column, name in of_columns.items()
    )
    return named + (f"; not used: {', '.join(map(_shown, unused))}" if unused else "")


def _printable(text: str) -> str:
    """Return a text of a file so that no character of it moves the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _shown(text: str, longest: int = 40) -> str:
    """Return the beginning of a text of a file."""
    safe = _printable(text[: longest + 1])
    return safe if len(text) <= longest else f"{safe[:longest]}…"


def _found(inspection: Inspection, noun: Noun) -> Iterator[tuple[str, str | Text]]:
    summary = inspection.summary
    rows = summary.rows
    yield "Rows", f"{rows.read:,} read, {rows.kept:,} kept, from {_counted(summary.users, 'user')}"
    if not rows.kept:
        if summary.ids is not None:
            yield "Ids", Text(_printable(id_sentence(summary.ids)), style="yellow")
        return
    scale = scale_sentences(
        summary.ratings, summary.repeated, summary.unrated, noun, summary.repeated_by
    )
    yield "Scale", " ".join(scale)
    if inspection.values and not summary.ratings.absent:
        total = max(sum(inspection.values.values()), rows.kept)
        shares = (f"{value} ({rows / total:.0%})" for value, rows in inspection.values.items())
        yield "Most often", ", ".join(shares)
    if summary.times is None:
        yield "Time", "no timestamps"
    else:
        yield "Time", f"{day(summary.times[0])} to {day(summary.times[1])}"
    if summary.pairs:
        yield (
            "Repeated",
            f"{summary.pairs:,} pairs of user and {noun.one} have more than one rating",
        )
    if summary.ids is not None:
        yield "Ids", Text(_printable(id_sentence(summary.ids)), style="yellow")
    if summary.filtered:
        yield "Filters", " ".join(filter_sentences(summary.filtered, noun))


def _titles(inspection: Inspection, noun: Noun) -> None:
    catalogue = inspection.catalogue
    if catalogue.file is None:
        text = f"{catalogue.rated:,} {noun.many} rated; without their file titles are not known"
        _line("Titles", text)
        console.print()
        return
    text = f"{catalogue.movies:,} {noun.many}, {catalogue.rated:,} of them rated"
    if catalogue.without_year:
        text += f"; {catalogue.without_year:,} without a year"
    _line("Titles", text)
    genres = f"{catalogue.genres:,} different; " + ", ".join(
        f"{_shown(name)} {movies:,}" for name, movies in catalogue.frequent.items()
    )
    if catalogue.without_genres:
        genres += f"; {catalogue.without_genres:,} {noun.many} without"
    _line("Genres", genres if catalogue.genres else "none")
    table = new_table()
    for name in ("Id", "Title", "Year", "Genres"):
        table.add_column(name, overflow="fold")
    for movie in catalogue.first:
        year = "" if movie.year is None else str(movie.year)
        texts = (movie.movie_id, movie.title, year, ", ".join(movie.genres))
        cells = [_shown(text, _LONGEST_ROW) for text in texts]
        table.add_row(*map(Text, cells))
    console.print(table)


def _quarantine(inspection: Inspection) -> None:
    summary = inspection.summary
    tables = {table.file: table for table in summary.tables if table.refused}
    if not summary.refused and not tables:
        _line("Quarantine", "no row")
        console.print()
        return
    if summary.refused:
        share = summary.refused / summary.rows.read
        _line("Quarantine", f"{_counted(summary.refused, 'row')} ({share:.2%}) of the ratings")
        _reasons(inspection, summary.quarantined, set(summary.files))
    for name, table in tables.items():
        _line("Quarantine", f"{_counted(table.refused, 'row')} of {name}")
        _reasons(inspection, table.quarantined, {name})
    console.print()


def _reasons(inspection: Inspection, counts: Mapping[str, int], files: set[str]) -> None:
    """Print the first refused rows of some files, by reason."""
    for reason, count in counts.items():
        console.print(Text.assemble((f"  {reason}  ", "yellow"), f"{count:,}"))
        for row in inspection.preview:
            if row.reason == reason and row.file in files:
                shown = _shown(row.row, _LONGEST_ROW)
                line = Text(f"    {row.file}:{row.line}  {shown}", style="dim")
                console.print(line, soft_wrap=True)


def _plan(
    inspection: Inspection, planned: Outlook, command: str | None
) -> Iterator[tuple[str, str | Text]]:
    if command is not None:
        yield "Start by", command
    yield "Split", split_sentence(inspection.summary.split)
    yield "Tasks", ", ".join(planned.tasks) or "none"
    if planned.like_threshold is not None:
        yield "Likes", f"ratings from {planned.like_threshold:g}"
    for at, bound in enumerate(planned.bounds):
        yield ("" if at else "Gate"), bound
    for at, sentence in enumerate(planned.not_gated):
        yield ("" if at else "Not gated"), sentence


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
