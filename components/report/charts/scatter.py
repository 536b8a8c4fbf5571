"""A map of many named points: drawn by the page's script, which zooms, finds and names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One point."""

    x: float
    y: float
    name: str
    group: int
    """Place of its group in `Scatter.groups`."""
    size: float
    """0 to 1."""
    note: str = ""


@dataclass(frozen=True)
class Scatter:
    """Points in groups."""

    points: Sequence[Point]
    groups: Sequence[str]
    """Names, in the order of the page's colours; the last is everything else."""

    def as_json(self) -> dict[str, object]:
        """What the script reads: coordinates with three decimals."""
        return {
            "groups": list(self.groups),
            "points": [
                [round(p.x, 3), round(p.y, 3), p.name, p.group, round(p.size, 2), p.note]
                for p in self.points
            ],
        }
