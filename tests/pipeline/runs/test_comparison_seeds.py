"""Several seeds of one configuration, and what is said of them."""

from __future__ import annotations

from pipeline.runs.comparison import in_words, stability, with_seeds
from reelflow.config import Config
from reelflow.evaluation.contest import Entry


def _entry(name: str, value: float) -> Entry:
    metrics, bounds = {"rmse": value, "coverage_10": value}, {"rmse": (value - 0.1, value + 0.1)}
    return Entry(name, metrics, bounds, None, None, {})


def test_each_configuration_with_the_next_seeds() -> None:
    found = with_seeds({"best": Config()}, 3)["best"]
    assert list(found) == ["best", "best-seed43", "best-seed44"]
    assert [config.train.seed for config in found.values()] == [42, 43, 44]
    assert with_seeds({"best": Config()}, 1) == {"best": {"best": Config()}}


def test_another_seed_inside_or_outside() -> None:
    entries = [_entry("a", 1.0), _entry("a-seed43", 1.05), _entry("b", 1.0), _entry("b-seed43", 2)]
    groups = {"a": ["a", "a-seed43", "a-seed44"], "b": ["b", "b-seed43"], "c": ["c"]}
    found = stability(entries, groups)
    assert found == {"a": {"a-seed43": []}, "b": {"b-seed43": ["rmse"]}}
    assert list(in_words(found)) == [
        "a: another seed stays inside the 95 % interval in every metric.",
        "b: outside the interval of the first seed: b-seed43: rmse.",
    ]


def test_nobody_to_compare_with() -> None:
    assert list(in_words(stability([_entry("a", 1.0)], {"a": ["a", "a-seed43"]}))) == []
