"""Lists for all users, and similar movies of all movies, as tables, a chunk at a time."""

from __future__ import annotations

import atexit
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from reelflow.base.columns import MOVIE_ID, RATING, SCORE, USER_ID, K
from reelflow.base.errors import BadInput
from reelflow.base.untrusted import no_formula, printable
from reelflow.data.parquet import open_own
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.contract import SIMILAR
from reelflow.saved_model.files import USERS
from reelflow.serving import messages as m
from reelflow.serving.engine import Engine
from reelflow.serving.why import named_reasons

if TYPE_CHECKING:
    from reelflow.serving.lists import Ranked

FORMS: Final = (".parquet", ".csv", ".jsonl")
CELLS: Final = 4_000_000
"""Scores of one call of the model, users times movies: 16 MB, some ten times that at work."""
MOST_USERS: Final = 1_024
"""Users of one call at most."""
REASONS: Final = 2_000
"""Movies of one call that are explained at most."""
ROWS: Final = 200_000
"""Rows of a table that are written at once: a row group of Parquet."""

LISTS: Final = pa.schema(
    [
        ("user", pa.string()),
        ("rank", pa.int32()),
        ("movie", pa.string()),
        ("score", pa.float32()),
        ("predicted_rating", pa.float32()),
        ("reasons", pa.list_(pa.string())),
    ]
)
"""Columns of users' lists; `reasons` are ids of movies that the user rated well, or null."""
NEIGHBOURS: Final = pa.schema(
    [
        ("movie", pa.string()),
        ("rank", pa.int32()),
        ("similar", pa.string()),
        ("score", pa.float32()),
    ]
)
"""Columns of similar movies."""


@dataclass(frozen=True)
class Job:
    """Tables to be made of one model, a part for each chunk of users or movies."""

    model: str
    """Folder of the model."""
    request: m.RecommendRequest | m.SimilarRequest
    """Conditions of every list."""
    users: str | None = None
    """File with a user's id a line; None: all that the model knows. Of lists of users only."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the tables."""
        return LISTS if isinstance(self.request, m.RecommendRequest) else NEIGHBOURS

    @functools.cached_property
    def ids(self) -> Sequence[str]:
        """Users, or movies where their neighbours are asked for.

        Raises:
            BadInput: the file of users cannot be read, or the model does not tell its users.
        """
        if isinstance(self.request, m.SimilarRequest):
            return [movie.movie_id for movie in _engine(self.model).movies]
        if self.users is not None:
            return _lines(Path(self.users))
        file = Path(self.model) / USERS
        if not file.is_file():
            raise BadInput(
                f"{self.model} does not tell its users.",
                "It was made by an older version: run again, or name a file with --users.",
            )
        with open_own(file) as table:
            ids: list[str] = table.read()[USER_ID].to_pylist()
        return ids

    @functools.cached_property
    def chunk(self) -> int:
        """Users or movies of one call of the model."""
        most = min(MOST_USERS, CELLS // len(_engine(self.model).movies))
        if isinstance(self.request, m.RecommendRequest) and self.request.explain:
            most = min(most, REASONS // self.request.k)
        return max(1, most)

    def table(self, start: int, stop: int) -> pa.Table:
        """Return the lists of a range of users or movies."""
        engine = _engine(self.model)
        tables = []
        for at in range(start, stop, self.chunk):
            ids = self.ids[at : min(at + self.chunk, stop)]
            if isinstance(self.request, m.RecommendRequest):
                tables.append(_lists(engine, self.request, ids))
            else:
                tables.append(_neighbours(engine, self.request, ids))
        return pa.concat_tables(tables).combine_chunks() if tables else self.schema.empty_table()

    def check(self) -> None:
        """Check the conditions against the model.

        Raises:
            BadInput: a genre or the stars are none of the model's.
        """
        engine = _engine(self.model)
        engine.filters.check(self.request)
        if isinstance(self.request, m.RecommendRequest):
            engine.model.check_stars(self.request.order, self.request.min_rating)
            if self.request.rules is not None:
                engine.catalogued(self.request.rules).check()


def write(job: Job, target: Path, progress: Callable[[int, int], None]) -> int:
    """Write the tables of a job into one file, with memory for a few chunks; return the rows.

    Args:
        job: the lists.
        target: file whose ending says its form.
        progress: called with the number of users or movies done, and of all.

    Raises:
        BadInput: the ending is another, or conditions are wrong.
        OSError: the file cannot be written.
    """
    job.check()
    step = max(job.chunk, ROWS // max(1, job.request.k) // job.chunk * job.chunk)
    rows = 0
    with _writer(target, job.schema) as add:
        for start in range(0, len(job.ids), step):
            stop = min(start + step, len(job.ids))
            table = job.table(start, stop)
            add(table)
            rows += len(table)
            progress(stop, len(job.ids))
    return rows


def write_part(job: Job, part: int, parts: int, folder: str, ending: str) -> int:
    """Write one of several equal parts of a job into a file of its own; return its rows.

    Whatever writes it again writes the same. It is there as a whole or not at all.
    """
    start, stop = (len(job.ids) * at // parts for at in (part, part + 1))
    target = Path(folder) / f"part-{part:05}-of-{parts:05}{ending}"
    table = job.table(start, stop)
    with _writer(target, job.schema) as add:
        add(table)
    return len(table)


@functools.lru_cache(1)
def _engine(model: str) -> Engine:
    return Engine(ServedModel.load(Path(model)))


# TensorFlow's functions complain if they outlive the interpreter's modules.
atexit.register(_engine.cache_clear)


def _lists(engine: Engine, request: m.RecommendRequest, users: Sequence[str]) -> pa.Table:
    requests = [request.model_copy(update={"user_id": user}) for user in users]
    ranked = engine.rank(requests)
    rows, places = np.nonzero(ranked.places >= 0)
    columns = ranked.places[rows, places]
    ratings = ranked.answer[RATING][rows, columns]
    return pa.table(
        {
            "user": pa.array(users, pa.string()).take(pa.array(rows)),
            "rank": pa.array(places + 1, pa.int32()),
            "movie": _texts(ranked.answer[MOVIE_ID][rows, columns]),
            "score": pa.array(ranked.answer[SCORE][rows, columns], pa.float32()),
            "predicted_rating": pa.array(ratings, pa.float32())
            if engine.stars
            else pa.nulls(len(rows), pa.float32()),
            "reasons": _reasons(engine, ranked)
            if request.explain
            else pa.nulls(len(rows), pa.list_(pa.string())),
        },
        LISTS,
    )


def _reasons(engine: Engine, ranked: Ranked) -> pa.Array:
    named = named_reasons(engine, ranked, range(len(ranked.places)))
    ids = [[one.movie_id for one in reasons] for reasons in named.values()]
    return pa.array(ids, pa.list_(pa.string()))


def _neighbours(engine: Engine, request: m.SimilarRequest, movies: Sequence[str]) -> pa.Table:
    fits = engine.filters.mask(request)
    k = len(engine.movies) if request.has_conditions else min(request.k, len(engine.movies))
    answer = engine.ask(SIMILAR, {MOVIE_ID: list(movies), K: k})
    ids = answer[MOVIE_ID]
    kept = ids != b""
    if request.has_conditions:
        rows_of = {id_.encode(): row for id_, row in engine.rows.items()}
        numbers = np.array([rows_of.get(one, -1) for one in ids.ravel()]).reshape(ids.shape)
        kept &= fits[numbers]
    kept &= kept.cumsum(axis=1) <= request.k
    rows, columns = np.nonzero(kept)
    return pa.table(
        {
            "movie": pa.array(movies, pa.string()).take(pa.array(rows)),
            "rank": pa.array(kept.cumsum(axis=1)[rows, columns], pa.int32()),
            "similar": _texts(ids[rows, columns]),
            "score": pa.array(answer[SCORE][rows, columns], pa.float32()),
        },
        NEIGHBOURS,
    )


def _texts(ids: npt.NDArray[Any]) -> pa.Array:
    return pa.array(ids, pa.binary()).cast(pa.string())


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}.") from error
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


@contextmanager
def _writer(target: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Give what adds tables to a file, which has its name once it is whole.

    Raises:
        BadInput: its ending is none that is known.
    """
    if target.suffix not in FORMS:
        raise BadInput(f"{target.name} ends in none of {', '.join(FORMS)}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with _open(unfinished, target.suffix, schema) as add:
            yield add
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _open(path: Path, form: str, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    if form == ".parquet":
        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield parquet.write_table
    elif form == ".csv":
        rows_only = pa_csv.WriteOptions(include_header=False)
        with pa.OSFile(str(path), "wb") as file:
            file.write(",".join(f'"{name}"' for name in schema.names).encode() + b"\n")

            def add_rows(table: pa.Table) -> None:
                if len(table):  # pyarrow 10 writes more than nothing for no rows
                    pa_csv.write_csv(_flat(table), file, rows_only)

            yield add_rows
    else:
        with open(path, "w", encoding="utf-8") as lines:

            def add(table: pa.Table) -> None:
                for row in table.to_pylist():
                    lines.write(f"{json.dumps(row, ensure_ascii=False)}\n")

            yield add


def _flat(table: pa.Table) -> pa.Table:
    """Return a table for CSV: reasons are one text each, with bars between; no text a formula."""
    if "reasons" in table.column_names:
        at = table.column_names.index("reasons")
        joined = ["|".join(one) if one else None for one in table["reasons"].to_pylist()]
        table = table.set_column(at, "reasons", pa.array(joined, pa.string()))
    for at, field in enumerate(table.schema):
        if field.type == pa.string():
            coded = table.column(at).combine_chunks().dictionary_encode()
            texts = [printable(no_formula(text)) for text in coded.dictionary.to_pylist()]
            table = table.set_column(
                at, field.name, pa.array(texts, field.type).take(coded.indices)
            )
    return table
