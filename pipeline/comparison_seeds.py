"""The same configuration under several train seeds: does another seed stay in the interval?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.evaluator.contest import Entry
    from pipeline.config import Config

Stability = dict[str, dict[str, list[str]]]
"""Configuration to its other seeds' names, each to the metrics outside the first one's interval."""


def with_seeds(configs: Mapping[str, Config], count: int) -> dict[str, dict[str, Config]]:
    """Each configuration's name to itself and `count - 1` copies with the next seeds."""
    return {
        name: {
            name if i == 0 else f"{name}-seed{config.train.seed + i}": _seeded(config, i)
            for i in range(count)
        }
        for name, config in configs.items()
    }


def stability(entries: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> Stability:
    """What of the other seeds lies outside the first one's 95 % interval; who failed is left out.

    Args:
        entries: everybody who was measured.
        groups: configuration to the names of its seeds, itself first.
    """
    by_name = {entry.name: entry for entry in entries}
    return {
        name: {
            other: outside(by_name[name], by_name[other])
            for other in names
            if other != name and other in by_name
        }
        for name, names in groups.items()
        if len(names) > 1 and name in by_name
    }


def outside(first: Entry, other: Entry) -> list[str]:
    """Metrics of `other` outside the intervals that are stated for `first`."""
    return [
        metric
        for metric, (low, high) in first.intervals.items()
        if not low <= other.metrics[metric] <= high
    ]


def in_words(found: Stability) -> Iterator[str]:
    """A sentence a configuration."""
    for name, others in found.items():
        wrong = [f"{other}: {', '.join(metrics)}" for other, metrics in others.items() if metrics]
        if wrong:
            yield f"{name}: outside the interval of the first seed: {'; '.join(wrong)}."
        elif others:
            count = len(others)
            what = "another seed stays" if count == 1 else f"{count} other seeds stay"
            yield f"{name}: {what} inside the 95 % interval in every metric."


def _seeded(config: Config, by: int) -> Config:
    train = config.train.model_copy(update={"seed": config.train.seed + by})
    return config.model_copy(update={"train": train})
