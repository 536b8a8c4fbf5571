"""Hints where the ratings' ids are not those of the movies' file, from a sample of the ratings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.data.formats.records import open_table
from reelflow.data.formats.source import Source
from reelflow.data.ids import number_id
from reelflow.data.ingest.results import IdHint
from reelflow.data.parse import Rules, parse_chunk
from reelflow.data.reading import plan_chunks
from reelflow.data.scale import ANY

_FILES: Final = 3
_SAMPLE_BYTES: Final = 2**20
"""Of each of the first files."""
_BETTER: Final = 0.05
"""Share of the ratings by which another reading of the ids has to be better."""


def find_id_hint(source: Source, movies: pa.Table | None) -> IdHint | None:
    """Find out why ratings are of movies that the movies' file does not have.

    Tried are whole numbers however they are written, and every other column of the movies' file.

    Args:
        source: the opened files.
        movies: the catalogue, of `schema.MOVIES`; None if there is no movies' file.

    Returns:
        None if there is no movies' file, no rating in the sample, or every one has a movie.

    Raises:
        BadInput: a file cannot be read.
    """
    if movies is None or source.movies_file is None:
        return None
    rated = _sample(source)
    total = sum(rated.values())
    own = movies.column(columns.MOVIE_ID).to_pylist()
    known = _share(rated, own)
    if not total or known == 1.0:
        return None
    strange = next(identity for identity in rated if identity not in set(own))
    hint = IdHint(known=known, example=(strange, own[0]), best=known)
    by_number = Counter[str]()
    for identity, rows in rated.items():
        by_number[number_id(identity)] += rows
    numbers = {number_id(identity): identity for identity in own}
    share = _share(by_number, numbers)
    if share >= known + _BETTER:
        strange, fits = next(
            (identity, numbers[number_id(identity)])
            for identity in rated
            if number_id(identity) in numbers and numbers[number_id(identity)] != identity
        )
        hint = IdHint(known=known, kind="number", best=share, example=(strange, fits))
    for name, values in _columns(source):
        share = _share(rated, values)
        if share >= hint.best + _BETTER:
            fits = next(identity for identity in rated if identity in values)
            hint = IdHint(known=known, kind="column", best=share, column=name, example=(fits, fits))
    return hint


def _share(rated: Counter[str], ids: Sequence[str] | set[str] | dict[str, str]) -> float:
    """Return the share of ratings that are of one of the ids, 0 to 1."""
    found = set(ids)
    return sum(n for identity, n in rated.items() if identity in found) / max(1, rated.total())


def _sample(source: Source) -> Counter[str]:
    """Count the ratings of each movie at the beginning of the first files."""
    rules = Rules(ANY, None, numeric_ids=source.adapter.movies_layout.numeric_ids)
    rated = Counter[str]()
    chunks = plan_chunks(source.ratings_files[:_FILES], _SAMPLE_BYTES)
    for chunk in {chunk.file: chunk for chunk in reversed(chunks)}.values():
        for parsed in parse_chunk(source.ratings_files, chunk, rules, _SAMPLE_BYTES):
            counted = pc.value_counts(parsed.ratings.column(columns.MOVIE_ID).cast(pa.string()))
            rated.update({row["values"]: row["counts"] for row in counted.to_pylist()})
            break
    return rated


def _columns(source: Source) -> Iterator[tuple[str, set[str]]]:
    """Yield name and values of each column of the movies' file, texts only."""
    layout = source.adapter.movies_layout
    opened = open_table(str(source.movies_file), layout)
    values: list[set[str]] = [set() for _ in opened.found.names]
    for record in opened.records if values else ():
        for of_column, cell in zip(values, record.cells, strict=False):
            if isinstance(cell, str):
                of_column.add(cell)
    yield from zip(opened.found.names, values, strict=True)
