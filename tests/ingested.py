"""Summaries of ingestions that never were, and a reader of `quarantine.tsv`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from reelflow.data.ingest.results import IngestSummary
from reelflow.data.quarantine import HEADER, QuarantinedRow


def ingest_summary(read: int = 10, train: int = 6, test: int = 2, **changes: Any) -> IngestSummary:
    """`report.json` of a small ratings file, two of whose rows are damaged."""
    values: dict[str, Any] = {
        "format": "movielens-csv",
        "synthetic": False,
        "files": ["ratings.csv"],
        "rows": {"read": read, "kept": train + test, "train": train, "validation": 0, "test": test},
        "users": 3,
        "movies": 4,
        "split": {"kind": "random", "asked": "random"},
        "ratings": {"feedback": "stars", "asked": "auto", "lowest": 0.5, "highest": 5.0},
        "quarantined": {"rating": 2},
        "data_hash": "abc",
    }
    return IngestSummary(**{**values, **changes})


def read_quarantine(source: IO[bytes]) -> Iterator[QuarantinedRow]:
    """Read `quarantine.tsv` back, row by row."""
    assert source.readline() == HEADER
    for text in source:
        file, line, reason, row = text[:-1].split(b"\t", 3)
        yield QuarantinedRow(file.decode(), int(line), reason.decode(), row)
