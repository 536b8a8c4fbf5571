"""The `quarantine` artifact, and the refusal of data that nothing can be learned from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from components.example_gen.catalogue import movies_hash
from components.example_gen.outcome import Outcome
from components.trainer import features
from pipeline.config import SplitConfig, SplitKind
from ratings import schema
from ratings.errors import BadInput
from ratings.formats.source import Source
from ratings.quarantine import find_rows, write_quarantine
from ratings.reasons import REASONS
from ratings.spans import Window

REPORT = "report.json"
QUARANTINE = "quarantine.tsv"


def quarantined(outcome: Outcome) -> dict[str, int]:
    """Rows refused by reason, without the reasons that did not occur."""
    counts = np.bincount(outcome.rejected.column(schema.REASON).to_numpy(), minlength=len(REASONS))
    return {reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count}


def make_report(
    source: Source, outcome: Outcome, movies: pa.Table, window: Window | None = None
) -> dict[str, Any]:
    """The content of `report.json`, as docs/architecture.md has it."""
    splits = dict(zip(features.RATING_SPLITS, outcome.rows, strict=True))
    content = f"{outcome.content[0]:016x}{outcome.content[1]:016x}{movies_hash(movies)}"
    return {
        "format": source.format.value,
        "synthetic": source.synthetic,
        "span": None if window is None else window.newest.name,
        "spans": [] if window is None else window.names,
        "window": None if window is None else asdict(window),
        "files": [file.name for file in source.ratings_files],
        "rows": {"read": outcome.read, "kept": sum(outcome.rows), **splits},
        "users": outcome.users,
        "movies": movies.num_rows,
        "quarantined": quarantined(outcome),
        "data_hash": hashlib.sha256(content.encode()).hexdigest(),
    }


def write_report(uri: str, report: dict[str, Any], source: Source, outcome: Outcome) -> None:
    """Write `report.json` and `quarantine.tsv` into a folder.

    Raises:
        BadInput: a ratings file cannot be read any more.
    """
    fileio.makedirs(uri)
    with fileio.open(f"{uri}/{QUARANTINE}", "wb") as file:
        write_quarantine(find_rows(outcome.rejected, source.ratings_files), file)
    with fileio.open(f"{uri}/{REPORT}", "wb") as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")


def check_rows(report: dict[str, Any], split: SplitConfig, quarantine: str) -> None:
    """Refuse data without ratings, or a split without train or test rows.

    Args:
        report: what `make_report` made.
        split: the configuration of the split.
        quarantine: path of the quarantine file, for the message.

    Raises:
        BadInput: says why, and what to do.
    """
    rows, files = report["rows"], ", ".join(report["files"])
    if not rows["read"]:
        raise BadInput(f"There are no ratings in {files}.", "Restore the file.")
    if not rows["kept"]:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in report["quarantined"].items())
        raise BadInput(
            f"None of the {rows['read']:,} ratings in {files} is valid: {reasons}.",
            f"The rows and reasons are in {quarantine}; check data.format and the rating range.",
        )
    for name in (features.TRAIN, features.TEST):
        if not rows[name]:
            raise BadInput(f"The {name} split is empty: {_why_empty(rows['kept'], split)}")


def _why_empty(kept: int, split: SplitConfig) -> str:
    if split.kind is SplitKind.LEAVE_LAST:
        needed = split.validation_count + split.test_count + 1
        return (
            f"leave_last needs users with at least {needed} ratings, and none has as many. "
            "Lower split.validation and split.test, or use another split.kind."
        )
    if split.kind is SplitKind.TEMPORAL:
        return (
            f"the timestamps of the {kept:,} ratings cannot be cut at the shares wanted, "
            "since too many are equal. Change the shares, or use split.kind = 'random'."
        )
    if split.kind is SplitKind.PREDEFINED:
        return "all rows of its files were refused. See the quarantine, or name other files."
    return f"{kept:,} ratings are too few for the shares wanted. Raise the share, or add ratings."
