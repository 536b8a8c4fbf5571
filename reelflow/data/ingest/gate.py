"""Whether the data may be learned from: TFDV's anomalies and the quarantine, put in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.base.errors import BadInput

_Info = anomalies_pb2.AnomalyInfo

# TFDV has some eighty kinds of anomaly; these are the ones that our schemas can meet.
_MISSING = "Fill in the missing values, or check data.columns: the column may have another name."
_VALUES = "Correct the values in the source files, or delete them where they may be missing."
_TYPE = "Check data.columns and the source files: the column holds something else."
_REMEDIES: Mapping[int, str] = {
    _Info.SCHEMA_MISSING_COLUMN: _MISSING,
    _Info.FEATURE_TYPE_NOT_PRESENT: _MISSING,
    _Info.FEATURE_TYPE_LOW_FRACTION_PRESENT: _MISSING,
    _Info.FEATURE_TYPE_LOW_NUMBER_PRESENT: _MISSING,
    _Info.INT_TYPE_SMALL_INT: _VALUES,
    _Info.INT_TYPE_BIG_INT: _VALUES,
    _Info.FLOAT_TYPE_SMALL_FLOAT: _VALUES,
    _Info.FLOAT_TYPE_BIG_FLOAT: _VALUES,
    _Info.FLOAT_TYPE_HAS_NAN: _VALUES,
    _Info.FLOAT_TYPE_HAS_INF: _VALUES,
    _Info.UNEXPECTED_DATA_TYPE: _TYPE,
    _Info.SCHEMA_NEW_COLUMN: "Describe the new column in the schema, or leave it out.",
    _Info.COMPARATOR_L_INFTY_HIGH: "Find out what changed since the last span.",
    _Info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH: "Find out what changed since the last span.",
}
_ANY_REMEDY = "Compare the statistics with the schema, and mend the source files."


class DataRefused(BadInput):
    """The data is not fit to learn from.

    Attributes:
        reasons: one sentence or two for each thing that is wrong.
    """

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        lines = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"The data was refused, nothing was trained:{lines}")


@dataclass(frozen=True)
class Validated:
    """ExampleValidator's verdict on one split."""

    name: str
    """What the split belongs to, in the reader's words: `ratings` or `movies`."""
    split: str
    anomalies: anomalies_pb2.Anomalies

    def __str__(self) -> str:
        return self.name if self.name == self.split else f"{self.name}, split {self.split}"


def anomaly_reasons(validated: Validated) -> tuple[list[str], list[str]]:
    """The reasons to refuse one split, and the warnings, which do not stop anything.

    An empty split counts as a reason: TFDV only sets `data_missing` on it, which ExampleValidator
    itself takes for a blessing.
    """
    anomalies = validated.anomalies
    if anomalies.data_missing:
        return [f"{validated}: there is not one row. {_EMPTY_REMEDY}"], []
    found = {f"column {column}": info for column, info in sorted(anomalies.anomaly_info.items())}
    if anomalies.HasField("dataset_anomaly_info"):
        found["as a whole"] = anomalies.dataset_anomaly_info
    reasons: list[str] = []
    warnings: list[str] = []
    for where, info in found.items():
        kind = warnings if info.severity == _Info.WARNING else reasons
        kind.append(f"{validated}, {where}: {_in_words(info)}")
    return reasons, warnings


_EMPTY_REMEDY = "Give more ratings, or a larger share to the split in [split]."


def _in_words(info: anomalies_pb2.AnomalyInfo) -> str:
    """`Out-of-range values. Unexpectedly small value: -5. Correct the values ...`."""
    remedies = dict.fromkeys(_REMEDIES.get(reason.type, _ANY_REMEDY) for reason in info.reason)
    parts = [info.short_description, info.description, *(remedies or {_ANY_REMEDY: None})]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def quarantine_reasons(report: Mapping[str, Any], file: str, max_share: float) -> list[str]:
    """The reason to refuse because of damaged rows, if there is one.

    Args:
        report: the quarantine's `report.json`: `rows.read`, and `quarantined` by reason.
        file: where the damaged rows are.
        max_share: share of the rows read that may be quarantined, 0 to 1.
    """
    read = int(report["rows"]["read"])
    counts: Mapping[str, int] = report["quarantined"]
    damaged = sum(counts.values())
    if read == 0:
        return ["ratings: no row was read. Check data.path and data.format."]
    if damaged <= max_share * read:
        return []
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{reason} {count:,}" for reason, count in by_count if count)
    reason = (
        f"ratings: {damaged:,} of {read:,} rows are damaged ({damaged / read:.2%}), "
        f"and data.max_quarantined allows {max_share:.2%} ({listed}). "
        f"The rows are in {file}; mend them, or raise data.max_quarantined."
    )
    return [reason]


def drift_reasons(drift: Mapping[str, Any], most: float | None) -> list[str]:
    """The reasons to refuse because the newest span is unlike the one before it.

    Args:
        drift: SpanDrift's `drift.json`, or nothing.
        most: drift of a column that may pass, 0 to 1; none: any.
    """
    if most is None:
        return []
    return [
        f"span {drift['newest']}, column {change['column']}: {change['measure']} "
        f"{change['value']:.3f} against span {drift['previous']}, and data.max_drift allows "
        f"{most:g}. Find out what changed, or raise data.max_drift."
        for change in drift.get("changes", [])
        if change["kind"] == "drift" and change["value"] > most
    ]


def check(
    validated: Iterable[Validated],
    report: Mapping[str, Any],
    file: str,
    max_share: float,
    further: Iterable[str] = (),
) -> list[str]:
    """Let good data pass.

    Args:
        validated: every split that ExampleValidator looked at.
        report: as for `quarantine_reasons`.
        file: as for `quarantine_reasons`.
        max_share: as for `quarantine_reasons`.
        further: other reasons to refuse.

    Returns:
        Warnings, which stop nothing.

    Raises:
        DataRefused: with every reason at once, so that one round of mending is enough.
    """
    reasons = [*quarantine_reasons(report, file, max_share), *further]
    warnings: list[str] = []
    for split in validated:
        refused, warned = anomaly_reasons(split)
        reasons += refused
        warnings += warned
    if reasons:
        raise DataRefused(reasons)
    return warnings
