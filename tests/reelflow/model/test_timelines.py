"""Timelines and batches against loops over the ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.histories import GAPS, OPINION_MAX, Histories
from reelflow.model.seen import SeenMovies
from reelflow.model.timelines import Batches, Timelines, sample_rows
from tests.encoded_data import Row, encoded, random_rows, same, user_vocabulary

MOVIES = [f"m{i:02d}" for i in range(14)]
UNKNOWN = len(MOVIES)


@pytest.fixture(scope="module")
def data() -> EncodedData:
    return encoded(random_rows(70, 3), test=random_rows(50, 4, users=12), movies=MOVIES)


@pytest.fixture(scope="module")
def timelines(data: EncodedData) -> Timelines:
    return Timelines(Histories.of_train(data))


def _slice(data: EncodedData, user: int) -> slice:
    return slice(data.offsets[user], data.offsets[user + 1])


@pytest.mark.parametrize("length", [0, 1, 3, 50])
def test_recent_movies_are_the_tail_of_the_history(
    data: EncodedData, timelines: Timelines, length: int
) -> None:
    for split in (data.train, data.test):
        found, opinions, _ = timelines.recent(split.user_index, split.history_end, length)
        assert found.shape == opinions.shape == (len(split), length)
        assert found.dtype == tf.int32
        assert opinions.dtype == tf.float32
        for row, user, end in zip(found.numpy(), split.user_index, split.history_end, strict=True):
            history = data.train.movie_index[data.offsets[user] : end].tolist()
            wanted = history[-length:] if length else []
            assert row.tolist() == [UNKNOWN] * (length - len(wanted)) + wanted


def test_gaps_are_doublings_of_the_time_since() -> None:
    """The first movie has none, and a request's own history neither."""
    times = [100, 100, 101, 103, 110, 1 << 40]
    data = encoded([("a", f"m{at:02d}", 3.0, time) for at, time in enumerate(times)], movies=MOVIES)
    timelines = Timelines(Histories.of_train(data))
    gaps = timelines.recent(tf.constant([0]), tf.constant([6], tf.int64), 7).gaps
    np.testing.assert_array_equal(gaps, [[0, 0, 1, 2, 2, 4, GAPS - 1]])


def test_ends_now_are_the_ends_of_the_slices(data: EncodedData, timelines: Timelines) -> None:
    users = tf.range(data.sizes.users + 1)
    np.testing.assert_array_equal(timelines.ends_now(users), data.offsets[1:])


def test_seen_movies_are_those_of_the_slice(data: EncodedData, timelines: Timelines) -> None:
    users = [4, 0, data.sizes.users, 4]
    cells = timelines.seen(tf.constant(users)).numpy()
    expected = [
        (row, movie)
        for row, user in enumerate(users)
        for movie in data.train.movie_index[_slice(data, user)].tolist()
    ]
    assert cells.tolist() == [list(cell) for cell in expected]


def test_of_no_users_nothing_is_seen(timelines: Timelines) -> None:
    assert timelines.seen(tf.zeros([0], tf.int32)).shape == (0, 2)


def test_a_movie_rated_twice_is_seen_once() -> None:
    rows = [("a", "m01", 3.0, 1), ("a", "m00", 3.0, 2), ("a", "m01", 5.0, 3), ("b", "m01", 1.0, 1)]
    timelines = Timelines(Histories.of_train(encoded(rows, movies=MOVIES)))
    cells = timelines.seen(tf.constant([1, 0])).numpy()
    assert sorted(cells.tolist()) == [[0, 1], [1, 0], [1, 1]]
    assert timelines.counts(tf.constant([0])).numpy().tolist() == [3]


@pytest.mark.parametrize("enabled", [True, False])
def test_seen_movies_by_table_and_by_timelines(
    data: EncodedData, timelines: Timelines, enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tf.constant([3, data.sizes.users, 3, 0])
    cells = SeenMovies(data, timelines, enabled=True).table.numpy()[users.numpy()]
    monkeypatch.setattr("reelflow.model.seen.SEEN_TABLE_BYTES", 0)
    looked_up = SeenMovies(data, timelines, enabled)
    assert looked_up.table is None
    expected = np.argwhere(cells) if enabled else np.zeros([0, 2])
    assert sorted(looked_up.rows(users).numpy().tolist()) == expected.tolist()


# Timelines of all splits, with hidden ratings between the others, against loops over the rows.

TRAIN_ROWS = random_rows(60, 5, times=30, distinct=False)
VALIDATION_ROWS: list[Row] = [
    *random_rows(15, 6, times=30, distinct=False),
    ("new both", "m03", 4.0, 9),
    ("new both", "m04", 1.0, 12),
    ("new validation", "m05", 2.0, 3),
]
TEST_ROWS: list[Row] = [
    *random_rows(25, 7, times=30, distinct=False),
    ("new both", "m06", 5.0, 10),
    ("new both", "m03", 1.0, 14),
    ("new test", "m00", 4.0, 8),
    ("new test", "m01", 2.0, 7),
    ("new test", "lost", 2.0, 7),
]
ROWS_OF = {f.TRAIN: TRAIN_ROWS, f.VALIDATION: VALIDATION_ROWS, f.TEST: TEST_ROWS}
HIDDEN = [(f.TEST,), (f.VALIDATION, f.TEST), ()]


@dataclass(frozen=True)
class Everything:
    """Timelines of all splits, and the same ratings row by row."""

    timelines: Timelines
    names: list[str | None]
    """Users by the number of their timeline; None is the unknown user."""
    hidden: tuple[str, ...]

    @property
    def users(self) -> tf.Tensor:
        """All timelines, in an order of their own and one of them twice."""
        return tf.constant([*range(len(self.names) - 1, -1, -1), 2])

    def rows(self, user: int, as_judged: bool) -> list[Row]:
        """The user's ratings in order of time, those of equal times by movie and stars."""
        return sorted(
            (
                row
                for split, rows in ROWS_OF.items()
                for row in rows
                if row[0] == self.names[user] and row[1] in MOVIES
                if not (as_judged and split in self.hidden)
            ),
            key=lambda row: (row[3] or 0, row[1], row[2]),
        )

    def mean(self, user: int) -> float:
        """The mean of the user's visible stars, of all if none are visible."""
        rows = self.rows(user, as_judged=True) or self.rows(user, as_judged=False)
        return float(np.mean([row[2] for row in rows])) if rows else np.nan

    def opinion(self, user: int, stars: float) -> float:
        """How far above the user's mean, in deviations of all visible ratings."""
        visible = [row[2] for u in range(len(self.names)) for row in self.rows(u, as_judged=True)]
        deviation = (stars - self.mean(user)) / np.std(visible)
        return float(np.clip(deviation, -OPINION_MAX, OPINION_MAX))


@pytest.fixture(scope="module", params=HIDDEN, ids=str)
def everything(request: pytest.FixtureRequest) -> Everything:
    data = encoded(TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS, MOVIES)
    names = [*user_vocabulary(TRAIN_ROWS), None, "new both", "new test", "new validation"]
    assert data.new_users.user_id == names[-3:]
    return Everything(Timelines(Histories.of_all(data, request.param)), names, request.param)


@pytest.mark.parametrize("as_judged", [True, False])
@pytest.mark.parametrize("length", [1, 4, 60])
def test_latest_movies_are_the_last_in_time_of_those_that_may_be_known(
    everything: Everything, as_judged: bool, length: int
) -> None:
    users = everything.users
    hide = tf.fill(tf.shape(users), as_judged)
    movies, opinions, _ = (x.numpy() for x in everything.timelines.latest(users, length, hide))
    for at, user in enumerate(users.numpy()):
        rows = everything.rows(user, as_judged)[-length:]
        padding = length - len(rows)
        expected = [UNKNOWN] * padding + [MOVIES.index(row[1]) for row in rows]
        # Ratings of one second are in no order that matters: hidden ones may come last.
        assert movies[at].tolist() == expected
        felt = [everything.opinion(user, row[2]) for row in rows]
        np.testing.assert_allclose(opinions[at], [0.0] * padding + felt, rtol=1e-4, atol=1e-5)


def test_latest_stars_are_of_all_ratings(everything: Everything) -> None:
    users = everything.users
    movies, stars = everything.timelines.latest_stars(users, tf.constant(5, tf.int64))
    for at, user in enumerate(users.numpy()):
        rows = everything.rows(user, as_judged=False)[-5:]
        assert movies.numpy()[at].tolist()[5 - len(rows) :] == [MOVIES.index(r[1]) for r in rows]
        expected = [np.nan] * (5 - len(rows)) + [row[2] for row in rows]
        np.testing.assert_array_equal(stars.numpy()[at], expected)


def test_each_request_has_its_own_knowledge(everything: Everything) -> None:
    user = everything.names.index("new both")
    users, hide = tf.constant([user, user]), tf.constant([True, False])
    movies, *_ = everything.timelines.latest(users, 9, hide)
    for row, as_judged in zip(movies.numpy(), (True, False), strict=True):
        known = [MOVIES.index(r[1]) for r in everything.rows(user, as_judged)]
        assert [movie for movie in row if movie != UNKNOWN] == known


@pytest.mark.parametrize("as_judged", [True, False])
def test_rated_movies_come_once_each(everything: Everything, as_judged: bool) -> None:
    users = everything.users
    hide = tf.fill(tf.shape(users), as_judged)
    rows, movies, opinions, ages = (x.numpy() for x in everything.timelines.rated(users, hide))
    assert (np.diff(rows) >= 0).all()
    for at, user in enumerate(users.numpy()):
        known = everything.rows(user, as_judged)
        mine = movies[rows == at].tolist()
        assert len(mine) == len(set(mine))
        assert set(mine) == {MOVIES.index(row[1]) for row in known}
        newest_first = [MOVIES.index(row[1]) for row in known][::-1]
        for movie, age in zip(mine, ages[rows == at], strict=True):
            assert newest_first[age] == movie
        for movie, opinion in zip(mine, opinions[rows == at], strict=True):
            stars = [row[2] for row in known if row[1] == MOVIES[movie]]
            felt = [everything.opinion(user, one) for one in stars]
            assert min(abs(one - opinion) for one in felt) < 1e-5
    cells = everything.timelines.seen(users, hide).numpy()
    np.testing.assert_array_equal(cells, np.stack([rows, movies], axis=1))
    if as_judged:
        np.testing.assert_array_equal(everything.timelines.seen(users), cells)


def test_counts_are_of_all_ratings(everything: Everything) -> None:
    users = everything.users
    expected = [len(everything.rows(user, as_judged=False)) for user in users.numpy()]
    assert everything.timelines.counts(users).numpy().tolist() == expected


def test_well_rated_is_what_never_fell_below_a_mean(everything: Everything) -> None:
    """By the mean of what is visible and by that of everything, each time that it was rated."""
    users = everything.users
    rows, movies, stars = (x.numpy() for x in everything.timelines.well_rated(users))
    for at, user in enumerate(users.numpy()):
        known = everything.rows(user, as_judged=False)
        means = [everything.mean(user), np.mean([row[2] for row in known] or [0.0])]
        least: dict[int, float] = {}
        for _, movie, given, _ in known:
            least[MOVIES.index(movie)] = min(given, least.get(MOVIES.index(movie), given))
        good = {movie for movie, given in least.items() if given >= max(means) - 1e-6}
        mine = movies[rows == at].tolist()
        assert len(mine) == len(set(mine))
        assert set(mine) == good
        for movie, given in zip(mine, stars[rows == at], strict=True):
            assert given >= least[movie]


def test_all_ratings_of_a_constant_user_are_good_ones() -> None:
    """Thirds of a star have no exact mean."""
    rows: list[Row] = [("a", f"m{i:02d}", 10 / 3, i) for i in range(7)]
    timelines = Timelines(Histories.of_all(encoded(rows, movies=MOVIES)))
    _, movies, _ = timelines.well_rated(tf.constant([0]))
    assert movies.numpy().tolist() == list(range(7))
    _, _, opinions, _ = timelines.rated(tf.constant([0]), tf.constant([False]))
    np.testing.assert_allclose(opinions, 0.0, atol=1e-6)
    assert timelines.star_deviation == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("as_judged", [True, False])
def test_opinions_of_the_stars_of_a_request(everything: Everything, as_judged: bool) -> None:
    """A user of whom nothing may be known has the mean of all."""
    users = everything.users
    given = np.tile(np.array([[np.nan, 1.0, 3.5, 5.0]], np.float32), (len(users), 1))
    hide = tf.fill(tf.shape(users), as_judged)
    found = everything.timelines.opinions_of(users, tf.constant(given), hide).numpy()
    for at, user in enumerate(users.numpy()):
        mean = everything.mean(user) if everything.rows(user, as_judged) else np.nan
        mean = everything.timelines.star_mean if np.isnan(mean) else mean
        felt = (given[at] - mean) / everything.timelines.star_deviation
        np.testing.assert_allclose(
            found[at], np.nan_to_num(np.clip(felt, -OPINION_MAX, OPINION_MAX)), atol=1e-5
        )


def test_means_are_of_the_visible_ratings(everything: Everything) -> None:
    visible = [
        row[2]
        for user in range(len(everything.names))
        for row in everything.rows(user, as_judged=True)
    ]
    assert everything.timelines.star_mean == pytest.approx(np.mean(visible), rel=1e-5)
    assert everything.timelines.star_deviation == pytest.approx(np.std(visible), rel=1e-5)


ROWS = encoded(random_rows(50, 0)).train


def _epoch(batches: Batches) -> np.ndarray:
    columns = (f.USER_INDEX, f.MOVIE_INDEX, f.RATING, f.HISTORY_END)
    parts = [batches[i] for i in range(len(batches))]
    return np.stack([np.concatenate([part[name] for part in parts]) for name in columns], axis=1)


def _in_order(rows: EncodedRatings) -> np.ndarray:
    return np.stack([rows.user_index, rows.movie_index, rows.rating, rows.history_end], axis=1)


def test_without_a_seed_rows_keep_their_order() -> None:
    batches = Batches(ROWS, 8, None)
    assert [len(batches[i][f.RATING]) for i in range(len(batches))] == [8] * 6 + [2]
    for _ in range(2):
        np.testing.assert_array_equal(_epoch(batches), _in_order(ROWS))
        batches.on_epoch_end()


def test_every_row_comes_once_an_epoch_in_a_new_order() -> None:
    batches = Batches(ROWS, 8, 1)
    first = _epoch(batches)
    batches.on_epoch_end()
    second = _epoch(batches)
    assert not np.array_equal(first, second)
    for epoch in (first, second):
        expected = _in_order(ROWS)
        assert sorted(epoch.tolist()) == sorted(expected.tolist())


def test_the_seed_decides_the_order() -> None:
    assert np.array_equal(_epoch(Batches(ROWS, 8, 1)), _epoch(Batches(ROWS, 8, 1)))
    assert not np.array_equal(_epoch(Batches(ROWS, 8, 1)), _epoch(Batches(ROWS, 8, 2)))


def test_a_sample_keeps_the_order_and_depends_on_the_seed() -> None:
    sample = sample_rows(ROWS, 20, 3)
    assert len(sample) == 20
    assert same(sample, sample_rows(ROWS, 20, 3))
    assert not same(sample, sample_rows(ROWS, 20, 4))
    order = [_in_order(ROWS).tolist().index(row) for row in _in_order(sample).tolist()]
    assert order == sorted(order)
    assert sample_rows(ROWS, 50, 3) is ROWS
