"""A champion has never been trained on what is held out now, or it is not begun with."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from reelflow.config import SplitConfig, SplitKind
from reelflow.data.ingest.partition import Ratings
from reelflow.data.ingest.split import (
    TRAIN,
    SplitPlan,
    assign_splits,
    count_times,
    find_cuts,
    temporal_shares,
)
from reelflow.encoding.encoded import EncodedData
from reelflow.model.champion_weights import TrainingRecord
from reelflow.model.warm_start import leakage
from tests.encoded_data import Row, encoded

RANDOM = SplitConfig(kind=SplitKind.RANDOM)
TEMPORAL = SplitConfig(kind=SplitKind.TEMPORAL)


def rows(count: int, first: int, seed: int) -> list[Row]:
    """Ratings of distinct pairs, in order of time from `first` on."""
    random = np.random.default_rng(seed)
    pairs = random.choice(40 * 50, count, replace=False)
    return [
        (f"u{p // 50:02d}", f"m{p % 50:02d}", 4.0, first + i) for i, p in enumerate(pairs.tolist())
    ]


def parts(ratings: list[Row], config: SplitConfig) -> list[list[Row]]:
    """Train, validation and test as ExampleGen splits them."""
    ordered = sorted(ratings, key=lambda row: (row[0], row[3] or 0))
    users = sorted({row[0] for row in ordered})
    movies = sorted({row[1] for row in ordered})
    times = np.array([row[3] or 0 for row in ordered], np.int64)
    table = Ratings(
        users=pa.array(users),
        movies=pa.array(movies),
        user=np.array([users.index(row[0]) for row in ordered], np.int32),
        movie=np.array([movies.index(row[1]) for row in ordered], np.int32),
        rating=np.array([row[2] for row in ordered], np.float32),
        timestamp=times,
        file=np.zeros(len(ordered), np.int32),
    )
    before, after = find_cuts(count_times(times), temporal_shares(config))
    codes = assign_splits(table, SplitPlan(config, cuts=(before, after)))
    return [[row for row, c in zip(ordered, codes, strict=True) if c == code] for code in range(3)]


def data(ratings: list[Row], config: SplitConfig) -> EncodedData:
    train, validation, test = parts(ratings, config)
    movies = [f"m{number:02d}" for number in range(50)]
    return encoded(train, validation, test, movies)


FIRST, SECOND = rows(300, 1_000, seed=1), rows(300, 2_000, seed=2)


@pytest.mark.parametrize("config", [RANDOM, TEMPORAL], ids=["random", "temporal"])
@pytest.mark.parametrize("window", ["growing", "rolling"])
def test_who_may_be_begun_with_has_not_seen_what_is_held_out(
    config: SplitConfig, window: str
) -> None:
    third = rows(300, 3_000, seed=3)
    champion = [*FIRST, *SECOND]
    now = [*champion, *third] if window == "growing" else [*SECOND, *third]
    knows = TrainingRecord.of(config, data(champion, config))
    assert leakage(knows, config, data(now, config)) is None
    seen = set(parts(champion, config)[TRAIN])
    _, validation, test = parts(now, config)
    pairs = {row[:2] for row in seen} if config is RANDOM else seen
    held_out = [row[:2] if config is RANDOM else row for row in (*validation, *test)]
    assert held_out
    assert not pairs.intersection(held_out)  # type: ignore[arg-type]


def test_a_pair_rated_again_stays_in_its_split() -> None:
    again = [(user, movie, 1.0, (time or 0) + 5_000) for user, movie, _, time in FIRST]
    once, both = (parts(ratings, RANDOM) for ratings in (FIRST, [*FIRST, *again]))
    for part, all_of_it in zip(once, both, strict=True):
        assert {row[:2] for row in part} == {row[:2] for row in all_of_it}


def test_another_seed_or_share_is_refused() -> None:
    knows = TrainingRecord.of(RANDOM, data(FIRST, RANDOM))
    for other in ({"seed": 7}, {"validation": 0.2}, {"test": 0.2}):
        split = SplitConfig(kind=SplitKind.RANDOM, **other)
        reason = leakage(knows, split, data(FIRST, split))
        assert reason is not None
        assert "split was another" in reason
    # It would have been a leak.
    seen = set(parts(FIRST, RANDOM)[TRAIN])
    assert seen.intersection(parts(FIRST, SplitConfig(kind=SplitKind.RANDOM, seed=7))[2])


def test_a_champion_from_a_later_window_is_refused() -> None:
    knows = TrainingRecord.of(TEMPORAL, data([*FIRST, *SECOND], TEMPORAL))
    reason = leakage(knows, TEMPORAL, data(FIRST, TEMPORAL))
    assert reason is not None
    assert "held out now" in reason


def test_what_a_champion_began_with_counts_too() -> None:
    early = data(FIRST, TEMPORAL)
    late = TrainingRecord.of(TEMPORAL, data([*FIRST, *SECOND], TEMPORAL))
    # Trained on early ratings alone, but on top of weights that have seen later ones.
    knows = TrainingRecord.of(TEMPORAL, early).on_top_of(late)
    assert leakage(knows, TEMPORAL, early) is not None


@pytest.mark.parametrize(
    "split",
    [
        SplitConfig(kind=SplitKind.LAST),
        SplitConfig(kind=SplitKind.LEAVE_LAST),
        SplitConfig(kind=SplitKind.PREDEFINED, train="a", test="b"),
    ],
    ids=["last", "leave_last", "predefined"],
)
def test_splits_of_which_nothing_can_be_said(split: SplitConfig) -> None:
    knows = TrainingRecord.of(split, data(FIRST, RANDOM))
    reason = leakage(knows, split, data(FIRST, RANDOM))
    assert reason is not None
    assert "does not tell" in reason


def test_auto_goes_by_times_or_without_them_by_chance() -> None:
    auto = SplitConfig()
    # Here it has come to `temporal`.
    knows = TrainingRecord.of(auto, data([*FIRST, *SECOND], TEMPORAL))
    later = data([*FIRST, *SECOND, *rows(300, 3_000, seed=3)], TEMPORAL)
    assert leakage(knows, auto, later) is None
    assert "held out now" in str(leakage(knows, auto, data(FIRST, TEMPORAL)))
    # Here to `last`, in which train has later ratings than test.
    last = data([*FIRST, *SECOND], SplitConfig(kind=SplitKind.LAST))
    assert "held out now" in str(leakage(TrainingRecord.of(auto, last), auto, last))
    # Without times it is `random`, and a champion that knew times had another split.
    timeless = data([(user, movie, stars, None) for user, movie, stars, _ in FIRST], RANDOM)
    assert leakage(TrainingRecord.of(auto, timeless), auto, timeless) is None
    assert leakage(TrainingRecord.of(RANDOM, timeless), auto, timeless) is None
    assert "split was another" in str(leakage(knows, auto, timeless))
    other = SplitConfig(seed=7)
    assert "split was another" in str(leakage(TrainingRecord.of(auto, timeless), other, timeless))


def test_knowledge_is_json() -> None:
    knows = TrainingRecord.of(RANDOM, data(FIRST, RANDOM))
    assert TrainingRecord(**json.loads(json.dumps(vars(knows)))) == knows
