"""What ratings say, from how often each value occurs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from reelflow.config import DataConfig, Feedback
from reelflow.data.formats.source import Source
from reelflow.data.scale import (
    LIMIT,
    NO_VALUES,
    Bounds,
    Scale,
    ValueCounts,
    count_values,
    decide_scale,
    describe_scale,
    merge_values,
)

STARS = Bounds(0.5, 5)


def source(documented: Bounds | None = None, has_ratings: bool = True) -> Source:
    """What the decision looks at."""
    return cast(Source, SimpleNamespace(documented=documented, has_ratings=has_ratings))


def decided(values: Mapping[float, int], documented: Bounds | None = None, **data: Any) -> Scale:
    """The decision on so many ratings of each value."""
    ratings = np.repeat(np.array(list(values), np.float32), list(values.values()))
    counts = count_values(pa.chunked_array([pa.array(ratings)]), documented)
    return decide_scale(counts, source(documented), DataConfig(**data))


@pytest.mark.parametrize("parts", [1, 3, 50])
@pytest.mark.parametrize("distinct", [5, LIMIT, LIMIT + 1])
def test_counts_do_not_depend_on_the_parts(parts: int, distinct: int) -> None:
    rng = np.random.default_rng(0)
    ratings = rng.permutation(np.arange(5_000, dtype=np.float32) % distinct / 10)
    counts = [
        count_values(pa.chunked_array([pa.array(part)]), STARS)
        for part in np.array_split(ratings, parts)
    ]
    # Also in two steps, as Beam combines.
    merged = merge_values([NO_VALUES, merge_values(counts[:1]), merge_values(counts[1:])])
    assert merged.rows == 5_000
    assert merged.outside == ((ratings < 0.5) | (ratings > 5)).sum()
    assert (merged.values is None) == (distinct > LIMIT)
    if merged.values is not None:
        values, rows = np.unique(ratings, return_counts=True)
        assert dict(sorted(merged.values.items())) == {
            float(str(value)): n for value, n in zip(values, rows, strict=True)
        }
    assert ValueCounts.from_json(merged.to_json()) == merged


@pytest.mark.parametrize(
    "values",
    [range(11), range(-10, 11), range(101), np.arange(0.5, 5.5, 0.5), [0, 1], [-1, 1], [97, 485]],
)
def test_every_scale_is_read_as_it_is(values: Any) -> None:
    scale = decided(dict.fromkeys(map(float, values), 10))
    assert scale == Scale(Feedback.STARS, suspect=None)


def test_a_documented_scale_holds_unless_the_data_are_plainly_on_another() -> None:
    few = decided({4: 90, 3: 5, 99: 10}, STARS)
    assert (few.accepted, few.foreign, few.refused) == (STARS, False, True)
    whole = decided({4: 100, 3: 5}, STARS)
    assert (whole.accepted, whole.foreign, whole.refused) == (STARS, False, False)
    # One impossible value is no scale, however often it comes.
    lump = decided({4: 100, 3: 5, 99: 900}, STARS)
    assert (lump.accepted, lump.foreign, lump.refused) == (STARS, False, True)
    another = decided({2: 20, 6: 30, 8: 40, 10: 10}, STARS)
    assert (another.accepted, another.foreign, another.refused) == (Bounds(), True, False)


def test_few_values_far_away_are_damaged() -> None:
    stray = decided({1: 500, 3: 1_000, 5: 499, 55: 1})
    assert stray.accepted == Bounds(-math.inf, 5)
    assert stray.refused
    # One in ten thousand gives half a star, and it is near enough.
    assert decided({0.5: 1, 2: 4_000, 3: 5_000, 5: 999}).accepted == Bounds()
    # So many are no mistake.
    assert decided({1: 500, 3: 1_000, 5: 499, 55: 20}).accepted == Bounds()
    # Purchases: hardly any row is of two.
    assert decided({1: 9_999, 2: 1}).accepted == Bounds()


def test_the_configuration_ends_the_rules_on_its_side() -> None:
    values = {1.0: 500, 3.0: 1_000, 5.0: 499, 55.0: 1}
    assert decided(values, rating_max=60).accepted == Bounds()
    assert decided(values, rating_min=1).accepted == Bounds(-math.inf, 5)
    assert decided(values, STARS, rating_max=60).accepted == Bounds(0.5, math.inf)


def test_ratings_that_do_not_vary_are_events() -> None:
    assert decided({1: 50}).feedback is Feedback.EVENTS
    assert decided({1: 50}, feedback="stars").feedback is Feedback.STARS
    assert decided({1: 50, 2: 1}).feedback is Feedback.STARS
    assert decided({1: 50, 2: 1}, feedback="events").feedback is Feedback.EVENTS
    # What is refused does not make them vary.
    assert decided({4: 50, 99: 1}, STARS).feedback is Feedback.EVENTS
    many = ValueCounts(10_000, 0, None)
    assert decide_scale(many, source(), DataConfig()).feedback is Feedback.STARS
    assert decide_scale(many, source(None, False), DataConfig()) == Scale(Feedback.EVENTS)


def test_counts_are_above_none() -> None:
    scale = decided({0: 5, 97: 5, 485: 5, 100_000: 1}, feedback="counts")
    assert scale.feedback is Feedback.COUNTS
    assert scale.accepted.hold(np.array([-1, 0, 1e-6, 1e6])).tolist() == [False, False, True, True]
    assert scale.refused


@pytest.mark.parametrize(
    ("values", "suspect"),
    [
        ({-1: 2, 5: 3, 6: 3, 7: 9}, -1),
        ({0: 20, 5: 3, 6: 3, 7: 9}, 0),
        ({0: 5, 5: 3, 6: 3, 7: 9}, None),
        ({-2: 2, -1: 2, 0: 3, 1: 9}, None),
        ({-1: 5, 0: 3, 1: 9}, None),
        ({0: 9, 1: 5}, None),
    ],
)
def test_values_that_may_mean_not_rated(values: dict[float, int], suspect: float | None) -> None:
    assert decided(values).suspect == suspect


def test_report_has_the_bounds_that_counted() -> None:
    data = DataConfig(rating_min=1)
    scale = Scale(Feedback.STARS, STARS)
    described = describe_scale(scale, source(STARS), data, (1, 5))
    assert (described.accepted_min, described.accepted_max) == (1, 5)
    assert (described.lowest, described.highest, described.documented) == (1, 5, STARS)
    events = describe_scale(Scale(Feedback.EVENTS), source(None, False), DataConfig(), ())
    assert (events.accepted_min, events.accepted_max, events.absent) == (None, None, True)
