"""Beginning and end of ingestion, the same for a run and for its rehearsal by `data inspect`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from tempfile import TemporaryDirectory, gettempdir

import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig, SplitKind
from reelflow.data import schema
from reelflow.data.formats.source import Source
from reelflow.data.formats.summary import TableSummary
from reelflow.data.id_hints import find_id_hint
from reelflow.data.ingest import catalogue, core
from reelflow.data.ingest.partition import Hashes, Ratings
from reelflow.data.ingest.results import IdHint, IngestSummary
from reelflow.data.ingest.span_counts import add_up, spans_of_files
from reelflow.data.ingest.split import (
    KnownCounts,
    TimeCounts,
    merge_counts,
    merge_known,
    plan_split,
)
from reelflow.data.ingest.steps import (
    Folders,
    Job,
    arrange_partition,
    check_filters,
    count_known_of,
    count_times_of,
    find_core_of,
    gather_spans,
    gather_tallies,
    spill_chunk,
    split_partition,
)
from reelflow.data.ingest.tally import Tally, summarize
from reelflow.data.parse import Rules
from reelflow.data.quarantine import UNKNOWN_MOVIE, QuarantinedRow
from reelflow.data.reading import Chunk, plan_chunks
from reelflow.data.scale import merge_values
from reelflow.data.spans import Window


@dataclass(frozen=True)
class Described:
    """The movies that the files describe, and the account of these files and those of users.

    Attributes:
        movies: of `schema.MOVIES`, as `Source.read_movies` has them; None without such a file.
        years_dropped: those whose year is outside of `schema.YEARS`, and now is null.
        tables: what became of the rows of each file.
        refused: their bad rows.
        users: of `schema.USERS`, if the configuration opts in to them.
    """

    movies: pa.Table | None
    years_dropped: int = 0
    tables: tuple[TableSummary, ...] = ()
    refused: tuple[QuarantinedRow, ...] = ()
    users: pa.Table | None = None


@dataclass(frozen=True)
class Outcome:
    """The findings of ingestion.

    Attributes:
        summary: the counts.
        movies: the catalogue.
        tally: with the places of the refused rows.
        described: with the refused rows of movies and users.
    """

    summary: IngestSummary
    movies: pa.Table
    tally: Tally
    described: Described


def plan_job(
    source: Source,
    data: DataConfig,
    split: SplitConfig,
    folders: Folders,
    window: Window | None = None,
) -> tuple[Job, Described]:
    """Read movies and users, and make the plan.

    Raises:
        BadInput: a file cannot be read, or the configuration asks for times that are not there.
    """
    check_filters(source, data)
    plan = plan_split(split, source)
    of_movies = source.movies_reading()
    of_users = source.users_reading() if data.use_users else None
    readings = [reading for reading in (of_movies, of_users) if reading is not None]
    described = replace(
        _describe(None if of_movies is None else of_movies.table),
        tables=tuple(table for reading in readings for table in reading.summaries),
        refused=tuple(row for reading in readings for row in reading.refused),
    )
    attributes = None if of_users is None else of_users.table
    if data.use_users and attributes is None:
        attributes = schema.USERS.empty_table()
    described = replace(described, users=attributes)
    rules = Rules.of(source, described.movies)
    spans = () if window is None else spans_of_files(source, window)
    return Job(source, data, rules, plan, attributes, folders, spans), described


def _describe(movies: pa.Table | None) -> Described:
    if movies is None:
        return Described(None)
    years = movies.column(columns.YEAR)
    first, last = schema.YEARS
    kept = pc.and_(pc.greater_equal(years, first), pc.less_equal(years, last))
    dropped = movies.num_rows - (pc.sum(kept).as_py() or 0) - years.null_count
    if not dropped:
        return Described(movies)
    left = pc.if_else(kept, years, pa.scalar(None, pa.int64()))
    at = movies.schema.get_field_index(columns.YEAR)
    return Described(movies.set_column(at, movies.schema.field(at), left), dropped)


def conclude(job: Job, described: Described, tally: Tally, window: Window | None) -> Outcome:
    """Make the summary and the catalogue of what all steps have counted.

    Raises:
        BadInput: a step has met a file that cannot be read.
    """
    if tally.problem:
        raise BadInput(*tally.problem)
    movies = described.movies
    if movies is None:
        movies = catalogue.movies_from_ids(tally.movie_ids)
    elif job.data.min_movie_ratings is not None:
        rated = pa.array(tally.movie_ids, pa.string())
        movies = movies.filter(pc.is_in(movies.column(columns.MOVIE_ID), value_set=rated))
    missing = catalogue.missing_features(job.data, movies, job.attributes)
    summary = summarize(
        job.source,
        tally,
        movies,
        job.data,
        window,
        missing,
        described.tables,
        described.years_dropped,
        _id_hint(job.source, described, tally),
        () if window is None else add_up(gather_spans(job), tally, job.spans, window),
    )
    return Outcome(summary, movies, tally, described)


def _id_hint(source: Source, described: Described, tally: Tally) -> IdHint | None:
    """Find out why there are ratings of unknown movies, if there are."""
    reasons = tally.rejected.column(columns.REASON).to_numpy()
    if not (reasons == UNKNOWN_MOVIE.code).any():
        return None
    return find_id_hint(source, described.movies)


def rehearse(
    source: Source,
    data: DataConfig,
    split: SplitConfig,
    window: Window | None = None,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[Ratings], object] | None = None,
) -> Outcome:
    """Take every step of ingestion in this process, and keep only what was found.

    Memory is bounded by a block of a file, a partition, and the ids of movies; rows lie in a
    temporary folder in between, some 30 bytes each.

    Args:
        source: the opened files.
        data: how to read them.
        split: how to split the ratings.
        window: the spans that `source` is made of, if the data have spans.
        progress: called with the bytes read since the last call.
        keep: called with the ratings that are kept, one partition after the other.

    Raises:
        BadInput: a file cannot be read, or the configuration asks for times that are not there.
    """
    try:
        with TemporaryDirectory(prefix="reelflow-inspect-") as folder:
            folders = Folders("", "", "", folder)
            return _rehearse(folders, source, data, split, window, progress, keep)
    except OSError as error:
        raise BadInput(
            f"The folder for temporary files, {gettempdir()}, cannot be used: {error.strerror}.",
            "Set TMPDIR to a folder with room for the ratings.",
        ) from error


def _rehearse(
    folders: Folders,
    source: Source,
    data: DataConfig,
    split: SplitConfig,
    window: Window | None,
    progress: Callable[[int], None] | None,
    keep: Callable[[Ratings], object] | None,
) -> Outcome:
    job, described = plan_job(source, data, split, folders, window)
    job = replace(job, listed=True)

    def finish(
        at: int, job: Job, times: TimeCounts | None, known: KnownCounts | None, gone: Hashes
    ) -> None:
        ratings, _ = split_partition(at, job, times, known, gone)
        if keep is not None:
            keep(ratings)

    take_steps(job, plan_chunks(source.ratings_files, data.chunk_bytes), finish, progress)
    return conclude(job, described, gather_tallies(job), window)


def take_steps(
    job: Job,
    chunks: Sequence[Chunk],
    finish: Callable[[int, Job, TimeCounts | None, KnownCounts | None, Hashes], object],
    progress: Callable[[int], None] | None = None,
    threads: int = 1,
) -> None:
    """Take the steps of ingestion one after the other in this process, as Beam's graph does.

    A step's chunks or partitions are shared out to threads, which work side by side as NumPy and
    Arrow do most of it without Python's lock. They are independent, so that results are the same.

    Args:
        job: the conversion.
        chunks: the files in pieces.
        finish: the last step of a partition, as `split_partition`.
        progress: called with the bytes read since the last call.
        threads: number of threads.
    """
    spilled: dict[int, list[str]] = {index: [] for index in range(job.data.partitions)}
    values = []
    with ThreadPoolExecutor(threads) as pool:
        for chunk, parsed in zip(
            chunks, pool.map(partial(spill_chunk, job=job), chunks), strict=True
        ):
            values.append(parsed.values)
            for partition, path in parsed.spilled:
                spilled[partition].append(path)
            if progress is not None:
                progress((chunk.end or chunk.start) - chunk.start)
        arrange = partial(arrange_partition, job=job, values=merge_values(values))
        partitions = list(pool.map(arrange, spilled.items()))
        gone = find_core_of(partitions, job) if core.wanted(job.data) else core.NO_MOVIES
        times = known = None
        if job.by_times:
            times = merge_counts(pool.map(partial(count_times_of, job=job, gone=gone), partitions))
        if times is not None and job.plan.kind is SplitKind.AUTO:
            count = partial(count_known_of, job=job, times=times, gone=gone)
            known = merge_known(pool.map(count, partitions))
        for _ in pool.map(lambda at: finish(at, job, times, known, gone), partitions):
            pass
