"""Summaries of ingestions that never were, for tests of what reads `report.json`."""

from __future__ import annotations

from typing import Any

from reelflow.data.ingest.results import IngestSummary


def ingest_summary(read: int = 10, train: int = 6, test: int = 2, **changes: Any) -> IngestSummary:
    """`report.json` of a small ratings file, two of whose rows are damaged."""
    values: dict[str, Any] = {
        "format": "movielens-csv",
        "synthetic": False,
        "files": ["ratings.csv"],
        "rows": {"read": read, "kept": train + test, "train": train, "validation": 0, "test": test},
        "users": 3,
        "movies": 4,
        "quarantined": {"rating": 2},
        "data_hash": "abc",
    }
    return IngestSummary(**{**values, **changes})
