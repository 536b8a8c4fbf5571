"""An even sample of one span's ratings, with what the catalogue knows of the films."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.shards import single_values
from components.trainer import features as f
from pipeline.config import DataConfig, SplitConfig
from ratings import schema
from ratings.arrow import one_chunk
from ratings.chunks import plan_chunks, read_chunk
from ratings.formats import Source, open_window
from ratings.parse import parse_block
from ratings.spans import Span, Window
from ratings.values import Rules

_BLOCK_BYTES = 16 * 2**20


def sample(span: Span, window: Window, data: DataConfig, split: SplitConfig) -> pa.RecordBatch:
    """Valid ratings of a span, read once from its files.

    Args:
        span: one of the window's, or of those before it.
        window: for the films' files, which may lie in other spans.
        data: how to read the files; at most `data.statistics_rows` rows are kept.
        split: names the files if it is `predefined`.

    Returns:
        `user_id`, `movie_id`, `rating`, `genres` and `year`, a list each [rows].

    Raises:
        BadInput: the span cannot be read.
    """
    others = tuple(s for s in (*window.earlier, *window.spans) if s.number < span.number)
    source = open_window(data, Window((span,), others, window.above), split)
    movies = source.read_movies()
    rows = _even(_ratings(source, movies, data), data.statistics_rows)
    ids = rows.column(f.MOVIE_ID).cast(pa.string()).combine_chunks()
    columns = {
        f.USER_ID: single_values(one_chunk(rows.column(f.USER_ID).cast(pa.string()))),
        f.MOVIE_ID: single_values(one_chunk(rows.column(f.MOVIE_ID).cast(pa.string()))),
        f.RATING: single_values(one_chunk(rows.column(f.RATING))),
    }
    if movies is not None:
        films = movies.take(pc.index_in(ids, value_set=one_chunk(movies.column(f.MOVIE_ID))))
        columns[f.GENRES] = one_chunk(films.column(f.GENRES))
        columns[f.YEAR] = single_values(one_chunk(films.column(f.YEAR)))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _ratings(source: Source, movies: pa.Table | None, data: DataConfig) -> Iterator[pa.Table]:
    known = None if movies is None else one_chunk(movies.column(f.MOVIE_ID))
    rules = Rules(source.rating_min, source.rating_max, known)
    for chunk in plan_chunks(source.ratings_files, data.chunk_bytes):
        file = source.ratings_files[chunk.file]
        for offset, block in read_chunk(file, chunk, _BLOCK_BYTES):
            parsed = parse_block(
                block, offset=offset, file=chunk.file, layout=file.layout, rules=rules
            )
            yield parsed.ratings.select([f.USER_ID, f.MOVIE_ID, f.RATING])


def _even(parts: Iterator[pa.Table], most: int) -> pa.Table:
    """Every n-th row of all parts together, n the smallest power of two that gives few enough."""
    columns = pa.schema([schema.PARSED.field(n) for n in (f.USER_ID, f.MOVIE_ID, f.RATING)])
    kept, stride, position = columns.empty_table(), 1, 0
    for part in parts:
        rows = np.arange(-position % stride, part.num_rows, stride)
        position += part.num_rows
        kept = pa.concat_tables([kept, part.take(pa.array(rows))])
        while kept.num_rows > most:
            stride *= 2
            kept = kept.take(pa.array(np.arange(0, kept.num_rows, 2)))
    return kept
