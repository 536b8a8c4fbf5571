"""Ratings in the order of their timelines, with what is known of each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, Float32, Int32, Int64

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

WELL_RATED_SLACK: Final = 1e-6
"""Stars by which a rating may lie below a mean that it equals but for rounding."""
OPINION_MAX: Final = 2.0
"""Largest distance of a rating from the user's mean that counts, in standard deviations."""
GAPS: Final = 32
"""Number of `timelines.Past.gaps`."""
BLOCK: Final = 1 << 20
"""Ratings that are put in order at a time, if no timeline is longer: what that takes, some 140
bytes a rating, would be gigabytes for tens of millions."""


@dataclass(frozen=True)
class Histories:
    """Ratings by the timeline that they belong to, in any order; every array has shape [ratings].

    Timelines 0 to `unknown_user` - 1 are the users of train, `unknown_user` stays empty, and the
    new users follow it.
    """

    owner: Int32
    """Number of the timeline."""
    movie: Int32
    stars: Float32
    time: Int64
    """Seconds."""
    hidden: Bools
    """True for ratings that a model is judged by."""
    count: int
    """Number of timelines."""
    unknown_movie: int
    """The `movie_index` that stands for no movie, used as padding."""

    @classmethod
    def of_train(cls, data: EncodedData) -> Histories:
        """Take the train ratings alone, in their own order; none is hidden."""
        train = data.train
        hidden = np.zeros(len(train), np.bool_)
        columns = train.user_index, train.movie_index, train.rating, train.timestamp, hidden
        return cls(*columns, count=data.sizes.users + 1, unknown_movie=len(data.catalogue))

    @classmethod
    def of_all(cls, data: EncodedData, hidden: Sequence[str] = (f.TEST,)) -> Histories:
        """Take the ratings of all splits, and those of new users.

        Args:
            data: the ratings.
            hidden: splits whose ratings a model is judged by.
        """
        users, new = data.sizes.users, data.new_users
        parts = []
        for split in f.RATING_SPLITS:
            rows = getattr(data, split).only_known(data.sizes)
            columns = rows.user_index, rows.movie_index, rows.rating, rows.timestamp
            parts.append((*columns, np.full(len(rows), split in hidden)))
        of_new = np.where(new.test, f.TEST in hidden, f.VALIDATION in hidden)
        owners = (new.owner + users + 1).astype(np.int32)
        parts.append((owners, new.movie_index, new.rating, new.timestamp, of_new))
        owner, movie, stars, time, hides = map(np.concatenate, zip(*parts, strict=True))
        count, unknown = users + 1 + len(new.user_id), len(data.catalogue)
        return cls(owner, movie, stars, time, hides, count, unknown)


class Ordered:
    """Ratings by timeline, the visible ones first, then the hidden ones, each part by time.

    At the same time by movie, then by stars. Arrays have shape [ratings] but where they say
    otherwise.
    """

    def __init__(self, histories: Histories, block: int = BLOCK) -> None:
        """Put ratings in order.

        Args:
            histories: the ratings.
            block: of how many ratings at a time, but for timelines that are longer.
        """
        h, rows = histories, len(histories.owner)
        self.offsets = np.concatenate([[0], np.cumsum(np.bincount(h.owner, minlength=h.count))])
        """Place at which each timeline begins, and the end of the last one, int64 [count + 1]."""
        self.visible_ends = self.offsets[1:].copy()
        """Place at which the visible ratings of each timeline end, int64 [count]."""
        self.own_means = np.full(h.count, np.nan)
        """Mean of the visible ratings of each timeline, of all where none is visible, float64
        [count]; NaN without any."""
        self.movies = np.empty(rows, np.int32)
        """`movie_index`, int32."""
        self.stars = np.empty(rows, np.float32)
        """float32."""
        self.gaps = np.empty(rows, np.uint8)
        """As `timelines.Past.gaps`, uint8."""
        self.again = np.empty(rows, np.bool_)
        """True if the timeline has the movie at an earlier place, bool."""
        self.well_rated = np.empty(rows, np.bool_)
        """True if no rating of the movie is below the timeline's means, bool."""
        by_time: Int32 | Int64 = np.arange(rows)
        if rows <= np.iinfo(np.int32).max:
            by_time = by_time.astype(np.int32)
        in_order = True
        of_owner = np.argsort(h.owner, kind="stable")
        hidden = np.empty(rows, np.bool_)
        for first, last in self._blocks(block):
            at = slice(self.offsets[first], self.offsets[last])
            own = of_owner[at]
            keys = h.stars[own], h.movie[own], h.time[own], h.hidden[own], h.owner[own]
            order = np.lexsort(keys)
            stars, movie, time, hidden[at], owner = (key[order] for key in keys)
            self._put(at, (first, last), stars, movie, time, hidden[at], owner - first)
            if hidden[at].any():
                places = np.lexsort((stars, movie, time, owner))
                in_order &= bool((places == np.arange(len(places))).all())
                by_time[at] = places + at.start
        self.by_time = None if in_order else by_time
        """Places of the ratings of each timeline in order of time alone, int32 or int64; None if
        that is their own order."""
        visible = self.stars[~hidden]
        self.star_mean = float(visible.mean()) if len(visible) else 0.0
        """Mean of the visible ratings."""
        self.star_deviation = float(visible.std()) if len(visible) else 0.0
        """Standard deviation of the visible ratings."""

    def opinions(self, block: int = BLOCK) -> Float32:
        """Return `timelines.Past.opinions`, float32 [ratings]."""
        opinions = np.empty(len(self.stars), np.float32)
        for first, last in self._blocks(block):
            at = slice(self.offsets[first], self.offsets[last])
            counts = np.diff(self.offsets[first : last + 1])
            means = np.repeat(self.own_means[first:last], counts)
            deviations = (self.stars[at] - means) / (self.star_deviation or 1.0)
            opinions[at] = np.clip(deviations, -OPINION_MAX, OPINION_MAX)
        return opinions

    def _blocks(self, block: int) -> Iterator[tuple[int, int]]:
        """Yield from which timeline to which, exclusive, there are at most `block` ratings."""
        first, count = 0, len(self.offsets) - 1
        while first < count:
            last = int(np.searchsorted(self.offsets, self.offsets[first] + block, "right")) - 1
            yield first, max(last, first + 1)
            first = max(last, first + 1)

    def _put(
        self,
        at: slice,
        timelines: tuple[int, int],
        stars: Float32,
        movie: Int32,
        time: Int64,
        hidden: Bools,
        owner: Int32,
    ) -> None:
        """Fill in a block whose ratings are in order; `owner` counts from its first timeline."""
        first, last = timelines
        count = last - first
        visible = np.bincount(owner[~hidden], minlength=count)
        self.visible_ends[first:last] = self.offsets[first:last] + visible
        of_visible, of_all = (
            _means(stars, owner, count, rows) for rows in (~hidden, np.ones_like(hidden))
        )
        means = np.where(visible > 0, of_visible, of_all)
        self.own_means[first:last] = means
        self.movies[at], self.stars[at], self.gaps[at] = movie, stars, _gaps(time, owner)
        pairs = owner.astype(np.int64) * (int(movie.max(initial=0)) + 1) + movie
        self.again[at], worst = _repeated(pairs, stars)
        # A reason must hold by the mean of what is visible, and by the mean of everything.
        least = np.maximum(means, np.nan_to_num(of_all))[owner]
        self.well_rated[at] = worst >= least - WELL_RATED_SLACK


def _means(stars: Float32, owner: Int32, count: int, rows: Bools) -> Floats:
    """Return each owner's mean over some rows, float64 [count]; NaN for those without any."""
    sums = np.bincount(owner[rows], stars[rows].astype(np.float64), count)
    with np.errstate(invalid="ignore"):
        return sums / np.bincount(owner[rows], minlength=count)


def _gaps(time: Int64, owner: Int32) -> Int32:
    """Return `Ordered.gaps`, int32 [ratings].

    Hidden ratings follow the visible ones, so that the first of them may be the earlier one: its
    gap is not known.
    """
    gaps = np.zeros(len(time), np.int32)
    since = np.diff(time)
    known = (owner[1:] == owner[:-1]) & (since >= 0)
    doublings = 1 + np.log2(1.0 + np.maximum(since, 0)).astype(np.int32)
    gaps[1:] = np.where(known, np.minimum(doublings, GAPS - 1), 0)
    return gaps


def _repeated(pairs: Int64, stars: Float32) -> tuple[Bools, Float32]:
    """Look for pairs of user and movie that occur more than once.

    Returns:
        True for those that have occurred earlier, bool [ratings]; and the fewest stars that the
        pair of each rating has ever got, float32 [ratings].
    """
    distinct, places, owners = np.unique(pairs, return_index=True, return_inverse=True)
    again = np.ones(len(pairs), np.bool_)
    again[places] = False
    if len(distinct) == len(pairs):
        return again, stars
    least = np.full(len(distinct), np.inf, np.float32)
    np.minimum.at(least, owners, stars)
    return again, least[owners]
