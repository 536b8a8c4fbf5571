"""One partition in its final order, with one row of each user and movie, or as many as wanted.

What a pair's rows come to is the policy `data.repeated`. Exact copies of a row are none of these:
they are damage, and those that two files share tell that one file holds the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reelflow.base import columns
from reelflow.config import Feedback, Repeated
from reelflow.data import schema
from reelflow.data.ingest.partition import Ratings
from reelflow.data.quarantine import DUPLICATE, RATING_RANGE, Reason
from reelflow.data.scale import ANY, Bounds, Refused, refused_ends
from reelflow.data.schema import one_chunk

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Policy:
    """The rows that count.

    Attributes:
        feedback: the meaning of a rating.
        accepted: bounds of the ratings.
        repeated: the rating that counts of several of one pair; None: as the feedback has it.
        sides: split of each file, as a number, if the files say it: of a pair only the rows on the
            lowest one count.
    """

    feedback: Feedback = Feedback.STARS
    accepted: Bounds = ANY
    repeated: Repeated | None = None
    sides: Sequence[int] | None = None


@dataclass(frozen=True)
class Arranged:
    """One partition in its final order, and the rows that are left out of it.

    Attributes:
        ratings: the rows kept.
        rejected: of `schema.REJECTED`: ratings that no scale can hold, and exact copies.
        repeated: rows that gave way to another of the same user and movie.
        pairs: users and movies with more than one rating, exact copies not counted.
        ends: ratings that no scale can hold: below it, and above it.
        file_rows: rows of each file whose ratings are accepted, its own copies not counted.
        shared: files to the rows that are in both, the file that comes first named first.
    """

    ratings: Ratings
    rejected: pa.Table
    repeated: int = 0
    pairs: int = 0
    ends: tuple[Refused, Refused] = (Refused(), Refused())
    file_rows: tuple[int, ...] = ()
    shared: Mapping[tuple[int, int], int] = field(default_factory=dict)


def arrange(parts: Iterable[pa.Table], policy: Policy = Policy()) -> Arranged:
    """Join and sort the parts of one partition.

    Of stars that agree in user, movie, rating and timestamp the first by file and offset is kept.
    Of what then is left of a pair, `data.repeated` says what counts; by default the last of stars;
    of events the first in time, which is the only one that the user could have been recommended;
    of counts the first, with the sum of all.

    Args:
        parts: tables of `schema.PARSED`, in the order of files and offsets; none is fine.
        policy: the rows that count.
    """
    tables = [schema.PARSED.empty_table(), *parts]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    values = table.column(columns.RATING).to_numpy()
    fits = policy.accepted.hold(values)
    beyond = schema.REJECTED.empty_table()
    ends = refused_ends(values[~fits], policy.accepted)
    if not fits.all():
        beyond = rejected(table.filter(pa.array(~fits)), RATING_RANGE)
        table = table.filter(pa.array(fits))
    user, users = _decoded(table, columns.USER_ID)
    movie, movies = _decoded(table, columns.MOVIE_ID)
    by_name = pc.sort_indices(users).to_numpy()
    rank = np.empty(len(users), np.int32)
    rank[by_name] = np.arange(len(users), dtype=np.int32)
    user, users = rank[user], users.take(pa.array(by_name))

    has_time = table.column(columns.TIMESTAMP).null_count == 0
    timestamp = table.column(columns.TIMESTAMP).to_numpy() if has_time else None
    order = _order(user, timestamp)
    rating = table.column(columns.RATING).to_numpy()[order]
    if policy.feedback is Feedback.EVENTS:  # whatever it holds
        rating = np.ones_like(rating)
    ratings = Ratings(
        users=users,
        movies=movies,
        user=user[order],
        movie=movie[order],
        rating=rating,
        timestamp=None if timestamp is None else timestamp[order],
        file=table.column(columns.FILE).to_numpy()[order],
    )
    file_rows = np.bincount(ratings.file)
    several = _several(ratings.pairs())
    if several is None:
        return Arranged(ratings, beyond, ends=ends, file_rows=tuple(file_rows.tolist()))

    rows, pair = several
    copies, own, shared = _copies(ratings, rows, pair)
    file_rows -= np.bincount(ratings.file[rows[own]], minlength=len(file_rows))
    duplicates = schema.REJECTED.empty_table()
    if policy.feedback is Feedback.STARS:
        places = table.select([columns.FILE, columns.OFFSET])
        dropped = rows[copies]
        duplicates = rejected(places.take(pa.array(order[dropped])), DUPLICATE)
        rows, pair = rows[~copies], pair[~copies]
    kept, rating = _counted(ratings, rows, pair, policy)
    gone = np.zeros(len(ratings), np.bool_)
    gone[several[0]] = True
    gone[kept] = False
    values = ratings.rating.copy()
    values[kept] = rating
    left = replace(ratings, rating=values).take(np.flatnonzero(~gone))
    return Arranged(
        left,
        pa.concat_tables([beyond, duplicates]),
        repeated=len(rows) - len(kept),
        pairs=int((np.bincount(pair) > 1).sum()) if len(pair) else 0,
        ends=ends,
        file_rows=tuple(file_rows.tolist()),
        shared=shared,
    )


def rejected(table: pa.Table, reason: Reason) -> pa.Table:
    """Return rows with file and offset as rows of `schema.REJECTED`."""
    code = pa.array(np.full(table.num_rows, reason.code, np.uint8))
    places = [table.column(columns.FILE), table.column(columns.OFFSET)]
    return pa.table([*places, code], schema=schema.REJECTED)


def one_side(ratings: Ratings, splits: npt.NDArray[np.uint8]) -> Positions:
    """Return the rows that lie in the split of the first row of their user and movie.

    Args:
        ratings: in order, with several rows of a pair where `data.repeated` is `all`.
        splits: of each row, uint8 [rows].

    Returns:
        Ascending positions, int64.
    """
    _, first, pair = np.unique(ratings.pairs(), return_index=True, return_inverse=True)
    return np.flatnonzero(splits == splits[first][pair])


def _decoded(table: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], pa.Array]:
    column = one_chunk(table.column(name))
    return column.indices.to_numpy(), column.dictionary


def _order(user: npt.NDArray[np.int32], timestamp: npt.NDArray[np.int64] | None) -> Positions:
    """Return the stable order by user and time, int64 [rows]."""
    if timestamp is None or not len(user):
        return np.argsort(user, kind="stable")
    first, last = int(timestamp.min()), int(timestamp.max())
    span = last - first + 1
    if span * (int(user.max()) + 1) >= 2**63:
        # Times as wide apart as only damaged ones are: number them instead.
        timestamp = np.unique(timestamp, return_inverse=True)[1].astype(np.int64)
        first, span = 0, len(timestamp)
    return np.argsort(user.astype(np.int64) * span + (timestamp - first), kind="stable")


def _several(pairs: Positions) -> tuple[Positions, Positions] | None:
    """Return the rows whose pair has several, by pair and order, and the number of their pair.

    None if there are none, which is quicker to see than to look for them.
    """
    if np.diff(np.sort(pairs)).all():
        return None
    order = np.argsort(pairs, kind="stable")
    number = np.cumsum(np.diff(pairs[order], prepend=-1) != 0) - 1
    several = np.bincount(number)[number] > 1
    _, pair = np.unique(number[several], return_inverse=True)
    return order[several], pair.astype(np.int64)


def _copies(
    ratings: Ratings, rows: Positions, pair: Positions
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], dict[tuple[int, int], int]]:
    """Find the rows that agree with an earlier one in everything.

    Returns:
        Those rows [rows]; those of them that agree with a row of their own file [rows]; and to each
        two files the number of different rows that are in both.
    """
    rating, file = ratings.rating[rows], ratings.file[rows]
    time = np.zeros(len(rows), np.int64)
    if ratings.timestamp is not None:
        time = ratings.timestamp[rows]
    order = np.lexsort((file, rating, time, pair))
    same = np.ones(len(rows) - 1, np.bool_)
    for values in (pair, time, rating):
        same &= values[order][1:] == values[order][:-1]
    copies, own = np.zeros((2, len(rows)), np.bool_)
    copies[order[1:][same]] = True
    by_file = file[order]
    own[order[1:][same & (by_file[1:] == by_file[:-1])]] = True
    group = np.cumsum(np.append(True, ~same)) - 1
    first = by_file[np.append(True, ~same)][group]
    other = np.append(False, same) & ~own[order] & (by_file != first)
    both = first[other].astype(np.int64) << 32 | by_file[other]
    files, counts = np.unique(both, return_counts=True)
    shared = zip(files.tolist(), counts.tolist(), strict=True)
    return copies, own, {(at >> 32, at & 0xFFFFFFFF): rows for at, rows in shared}


def _counted(
    ratings: Ratings, rows: Positions, pair: Positions, policy: Policy
) -> tuple[Positions, npt.NDArray[np.float32]]:
    """Return the rows that count of pairs that have several, and the rating that each gets now.

    `rows` are sorted by `pair`, then by time and place.
    """
    if policy.sides is not None and len(rows):
        side = np.asarray(policy.sides)[ratings.file[rows]]
        _, start = np.unique(pair, return_index=True)
        lowest = np.repeat(np.minimum.reduceat(side, start), np.diff(start, append=len(pair)))
        rows, pair = rows[side == lowest], pair[side == lowest]
    rating = ratings.rating[rows]
    if policy.repeated is Repeated.ALL or not len(rows):
        return rows, rating
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    last = np.append(first[1:], len(pair)) - 1
    stars = policy.feedback is Feedback.STARS
    repeated = policy.repeated or (Repeated.LAST if stars else None)
    chosen = first if repeated in (Repeated.FIRST, None) else last
    value = rating[chosen]
    if repeated in (Repeated.MEAN, None) and policy.feedback is not Feedback.EVENTS:
        value = np.bincount(number, rating).astype(np.float32)
        if repeated is Repeated.MEAN:
            value = (value / np.bincount(number)).astype(np.float32)
    return rows[chosen], value
