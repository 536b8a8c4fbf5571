"""Encoding against the raw rows, and the merge of validation into train."""

from __future__ import annotations

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from reelflow.base import columns as f
from reelflow.encoding.encode import as_served, encode, training_data, with_validation
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from tests.encoded_data import (
    Movie,
    Row,
    encoded,
    movies_table,
    plain_graph,
    random_rows,
    ratings_batch,
    same,
    user_vocabulary,
)

_STRANGERS: list[Row] = [("stranger", "m00", 3.0, 3), ("stranger", "m01", 3.0, None)]


def _awkward(seed: int) -> dict[str, list[Row]]:
    """Repeated pairs, equal and missing times, unicode ids, users that only test has."""
    rows = random_rows(90, seed, distinct=False)
    chance = random.Random(seed)
    names = {"u3": "пользователь 3", "u4": "使用者"}
    rows = [
        (names.get(user, user), movie, stars, None if chance.random() < 0.1 else time)
        for user, movie, stars, time in rows
    ]
    return {f.TRAIN: rows[:60], f.VALIDATION: rows[60:75], f.TEST: [*rows[75:], *_STRANGERS]}


def _encoded(splits: dict[str, list[Row]], movies: int = 14) -> EncodedData:
    return encoded(*splits.values(), movies=[f"m{i:02d}" for i in range(movies)])


def _history_of(row: Row, train: list[Row], split: str) -> list[tuple[int, str]]:
    """Time and movie of a row's history: in train what is strictly earlier, else everything."""
    user, _, _, time = row
    return sorted(
        (t or 0, m)
        for u, m, _, t in train
        if u == user and (split != f.TRAIN or (t or 0) < (time or 0))
    )


@pytest.mark.parametrize("seed", range(8))
def test_history_is_the_past_in_train_and_the_whole_timeline_of_rows_held_out(seed: int) -> None:
    splits = _awkward(seed)
    data = _encoded(splits)
    users = user_vocabulary(splits[f.TRAIN])
    for split, rows in splits.items():
        found = getattr(data, split)
        assert len(found) == len(rows)
        # Train is in its own order, the others in the order of the input.
        raw = sorted(rows, key=_timeline_key(users)) if split == f.TRAIN else rows
        for i, row in enumerate(raw):
            at = slice(data.offsets[found.user_index[i]], found.history_end[i])
            movies = [data.catalogue.movie_id[m] for m in data.train.movie_index[at]]
            history = list(zip(data.train.timestamp[at].tolist(), movies, strict=True))
            assert history == _history_of(row, splits[f.TRAIN], split), (split, row)


def _timeline_key(users: list[str]):
    return lambda row: (users.index(row[0]), row[3] or 0, row[1], row[2])


@pytest.mark.parametrize("seed", range(4))
def test_timelines_do_not_depend_on_the_order_of_the_input(seed: int) -> None:
    splits = _awkward(seed)
    shuffled = {**splits, f.TRAIN: random.Random(seed).sample(splits[f.TRAIN], 60)}
    assert same(_encoded(splits).train, _encoded(shuffled).train)


@pytest.mark.parametrize("seed", range(4))
def test_columns_are_those_of_the_rows(seed: int) -> None:
    splits = _awkward(seed)
    data, users = _encoded(splits), user_vocabulary(splits[f.TRAIN])
    found = data.test
    for i, (user, movie, stars, time) in enumerate(splits[f.TEST]):
        assert found.user_index[i] == (users.index(user) if user in users else len(users))
        assert found.movie_index[i] == int(movie[1:])
        assert found.rating[i] == np.float32(stars)
        assert found.timestamp[i] == (time or 0)
        assert found.day[i] == np.float32((time or 0) / 86_400)


def test_offsets_bound_every_users_slice() -> None:
    data = _encoded(_awkward(0))
    offsets = data.offsets
    assert len(offsets) == data.sizes.users + 2
    for user in range(data.sizes.users):
        assert set(data.train.user_index[offsets[user] : offsets[user + 1]]) == {user}
    assert offsets[-1] == offsets[-2] == len(data.train)


def test_unknown_ids_are_counted_by_split() -> None:
    train: list[Row] = [("a", "m0", 3.0, 1), ("a", "nowhere", 3.0, 2)]
    data = encoded(train, [("b", "m0", 3.0, 1)], [("a", "m1", 2.0, 3)], ["m0", "m1"])
    assert data.sizes.unknown_users == {"train": 0, "validation": 1, "test": 0}
    assert data.sizes.unknown_movies == {"train": 1, "validation": 0, "test": 0}
    # Of what is not known there is no timeline; in the other splits it counts against the model.
    assert data.train.movie_index.tolist() == [0]
    assert data.validation.user_index.tolist() == [1]


def test_batches_are_one_after_the_other() -> None:
    rows = random_rows(40, 1)
    graph = plain_graph(user_vocabulary(rows), [f"m{i:02d}" for i in range(14)], [])
    movies = movies_table([Movie(f"m{i:02d}") for i in range(14)])

    def of(cuts: list[int]) -> EncodedRatings:
        parts = [ratings_batch(rows[a:b]) for a, b in zip([0, *cuts], [*cuts, 40], strict=True)]
        return encode(graph, {f.TRAIN: parts, f.VALIDATION: parts, f.TEST: []}, movies).validation

    assert same(of([]), of([7, 7, 31]))


def test_splits_may_be_empty() -> None:
    data = encoded([("a", "m0", 3.0, 1)])
    assert len(data.validation) == len(data.test) == 0
    assert data.validation.user_index.dtype == np.int32
    assert data.validation.history_end.dtype == np.int64


@pytest.mark.parametrize(
    ("times", "expected"),
    [([None, None], False), ([5, 5], False), ([5, 6], True), ([*[5] * 3000, 6], True)],
)
def test_timestamps_that_are_all_the_same_are_none(times: list[int | None], expected: bool) -> None:
    rows: list[Row] = [("a", f"m{i}", 3.0, time) for i, time in enumerate(times)]
    assert encoded(rows).sizes.has_timestamps is expected


def test_without_timestamps_nothing_is_earlier() -> None:
    rows: list[Row] = [("a", "m0", 3.0, None), ("b", "m0", 3.0, None), ("b", "m1", 1.0, None)]
    data = encoded(rows, test=rows)
    assert np.array_equal(data.train.history_end, data.offsets[data.train.user_index])
    assert np.array_equal(data.test.history_end, data.offsets[data.test.user_index + 1])


@pytest.mark.parametrize("seed", range(3))
def test_new_users_are_those_of_validation_and_test_that_train_does_not_have(seed: int) -> None:
    splits = _awkward(seed)
    splits[f.VALIDATION] = [*splits[f.VALIDATION], ("новый", "m01", 4.0, 5), ("a", "lost", 1.0, 5)]
    splits[f.TEST] = [*splits[f.TEST], ("новый", "m02", 2.0, None), ("stranger", "lost", 1.0, 9)]
    data, known = _encoded(splits), user_vocabulary(splits[f.TRAIN])
    new = data.new_users
    found = zip(
        (new.user_id[owner] for owner in new.owner),
        (data.catalogue.movie_id[movie] for movie in new.movie_index),
        new.rating.tolist(),
        new.timestamp.tolist(),
        new.test.tolist(),
        strict=True,
    )
    expected = [
        (user, movie, stars, time or 0, split == f.TEST)
        for split in (f.VALIDATION, f.TEST)
        for user, movie, stars, time in splits[split]
        if user not in known and movie in data.catalogue.movie_id
    ]
    assert sorted(found) == sorted(expected)
    assert new.user_id == sorted({row[0] for row in expected})
    assert {"новый", "stranger"} <= set(new.user_id)
    assert "a" not in new.user_id  # of a movie that the catalogue does not have nothing follows


def test_without_new_users_there_is_nothing_of_them() -> None:
    rows: list[Row] = [("a", "m0", 3.0, 1)]
    new = encoded(rows, test=rows).new_users
    assert new.user_id == []
    assert len(new.owner) == len(new.movie_index) == len(new.rating) == len(new.test) == 0


def test_catalogue_is_in_the_order_of_the_vocabulary() -> None:
    movies = [
        Movie("m2", ("Drama", "War"), 1999),
        Movie("m0"),
        Movie("m1", ("War",), 1950),
        Movie("mø", ("Comedy", "Drama", "War")),
    ]
    vocabulary = ["mø", "m1", "m2", "m0"]
    genres = ["War", "Comedy", "Drama"]
    graph = plain_graph(["a"], vocabulary, genres)
    none = {split: [ratings_batch([("a", "m1", 3.0, 1)])] for split in f.RATING_SPLITS}
    catalogue = encode(graph, none, movies_table(movies)).catalogue
    by_id = {movie.movie_id: movie for movie in movies}
    assert catalogue.movie_id == vocabulary
    assert catalogue.title == [f"The title of {m}" for m in vocabulary]
    assert catalogue.genres == [list(by_id[m].genres) for m in vocabulary]
    assert catalogue.year == [by_id[m].year for m in vocabulary]
    starts = np.cumsum(catalogue.genre_counts) - catalogue.genre_counts
    for i, start in enumerate(starts):
        inside = catalogue.genre_indices[start : start + catalogue.genre_counts[i]]
        assert [genres[g] for g in inside] == catalogue.genres[i]
    np.testing.assert_allclose(catalogue.year_scaled, [0, -5, -0.1, 0], rtol=1e-6)


def test_take_keeps_the_columns_together() -> None:
    data = _encoded(_awkward(2))
    rows = np.array([3, 0, 3])
    taken = data.test.take(rows)
    assert len(taken) == 3
    assert same(taken.take(np.array([0])), data.test.take(np.array([3])))
    assert not same(taken, replace(taken, rating=taken.rating + 1))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_encoding_them_together_gives(seed: int) -> None:
    rows = random_rows(100, seed)
    movies = sorted({row[1] for row in rows})
    train, validation, test = rows[:70], rows[70:85], rows[85:]
    found = with_validation(encoded(train, validation, test, movies))
    together = encoded([*train, *validation], [], test, movies)
    for split in ("train", "validation", "test"):
        for column in fields(EncodedRatings):
            one, other = (getattr(getattr(d, split), column.name) for d in (found, together))
            np.testing.assert_array_equal(one, other, err_msg=f"{split}.{column.name}")
            assert one.dtype == other.dtype


def test_who_is_in_validation_alone_stays_unknown() -> None:
    train: list[Row] = [("a", "m0", 3.0, 1), ("b", "m1", 4.0, 1)]
    stranger: list[Row] = [("x", "m0", 3.0, 2), ("a", "lost", 3.0, 2), ("a", "m1", 5.0, 2)]
    found = with_validation(encoded(train, stranger))
    assert found.train.rating.tolist() == [3.0, 5.0, 4.0]
    assert len(found.offsets) == found.sizes.users + 2


def test_only_a_refit_model_has_learned_from_validation() -> None:
    data = encoded(random_rows(30, 0), random_rows(5, 1))
    assert training_data(data, {"refit": False}) is data
    assert training_data(data, {}) is data
    assert len(training_data(data, {"refit": True}).train) > len(data.train)
    without = encoded(random_rows(30, 0))
    assert training_data(without, {"refit": True}) is without


@pytest.mark.parametrize(
    ("times", "kind"),
    [((1, 2, 3), "past"), ((1, 3, 3), "ties"), ((1, 4, 3), "whole"), ((None, None, None), "past")],
    ids=str,
)
def test_histories_of_training_are_as_the_split_serves(
    times: tuple[int | None, ...], kind: str
) -> None:
    """Two train ratings of each user, and one of validation: later, of the same time, between."""
    train: list[Row] = [(user, f"m{i}", 3.0, times[i]) for user in "abc" for i in (0, 1)]
    train += [("d", f"m{i}", 3.0, times[0]) for i in range(3)]  # at one time
    data = encoded(train, [(user, "m2", 3.0, times[2]) for user in "abc"])
    served = as_served(data)(data).train
    begins = data.offsets[served.user_index]
    place = np.arange(len(served)) - begins
    counts = np.bincount(served.user_index)[served.user_index]
    expected = {"past": data.train.history_end - begins, "ties": place, "whole": counts}[kind]
    np.testing.assert_array_equal(served.history_end - begins, expected)
    assert kind != "past" or (served.history_end - begins)[served.user_index == 3].max() == 0
