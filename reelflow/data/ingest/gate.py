"""The data gate: refuses data that nothing should be learned from, with every reason at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.base.errors import BadInput
from reelflow.data.ingest.results import Change, DriftReport, IngestSummary

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
_ANY_REMEDY: Final = "Compare the statistics with the schema, and mend the source files."


@dataclass(frozen=True)
class Validated:
    """ExampleValidator's anomalies of one split."""

    name: str
    """`ratings` or `movies`."""
    split: str
    anomalies: anomalies_pb2.Anomalies

    def __str__(self) -> str:
        return self.name if self.name == self.split else f"{self.name}, split {self.split}"


@dataclass(frozen=True)
class NoRowRead:
    """The files hold no row at all."""

    def __str__(self) -> str:
        return "ratings: no row was read. Check data.path and data.format."


@dataclass(frozen=True)
class DamagedRows:
    """A larger share of the rows is quarantined than `data.max_quarantined` allows."""

    read: int
    """Rows read."""
    by_reason: Mapping[str, int]
    """Quarantined rows by reason."""
    share_max: float
    """0 to 1."""
    file: str
    """The file that holds the rows."""

    def __str__(self) -> str:
        damaged = sum(self.by_reason.values())
        by_count = sorted(self.by_reason.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{reason} {count:,}" for reason, count in by_count if count)
        return (
            f"ratings: {damaged:,} of {self.read:,} rows are damaged ({damaged / self.read:.2%}), "
            f"and data.max_quarantined allows {self.share_max:.2%} ({listed}). "
            f"The rows are in {self.file}; mend them, or raise data.max_quarantined."
        )


@dataclass(frozen=True)
class Drifted:
    """A column of the newest span has changed by more than `data.max_drift` allows."""

    newest: str
    previous: str | None
    change: Change
    drift_max: float
    """0 to 1."""

    def __str__(self) -> str:
        return (
            f"span {self.newest}, column {self.change.column}: {self.change.measure} "
            f"{self.change.value:.3f} against span {self.previous}, and data.max_drift allows "
            f"{self.drift_max:g}. Find out what changed, or raise data.max_drift."
        )


@dataclass(frozen=True)
class EmptySplit:
    """A split without rows.

    TFDV only sets `data_missing` on it, which ExampleValidator itself takes for a blessing.
    """

    of: Validated

    def __str__(self) -> str:
        return (
            f"{self.of}: there is not one row. Give more ratings, or a larger share to the split "
            "in [split]."
        )


@dataclass(frozen=True)
class Anomaly:
    """An anomaly that TFDV found in one column of a split, or in the split itself."""

    of: Validated
    column: str | None
    """None: the split itself."""
    info: anomalies_pb2.AnomalyInfo

    @property
    def is_warning(self) -> bool:
        """True if the schema says that it stops nothing."""
        return bool(self.info.severity == _Info.WARNING)

    def __str__(self) -> str:
        """`ratings, split train, column year: Out-of-range values. Unexpectedly small: -5. ...`."""
        info, where = self.info, f"column {self.column}" if self.column else "as a whole"
        remedies = dict.fromkeys(_REMEDIES.get(reason.type, _ANY_REMEDY) for reason in info.reason)
        parts = [info.short_description, info.description, *(remedies or {_ANY_REMEDY: None})]
        words = " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)
        return f"{self.of}, {where}: {words}"


@dataclass(frozen=True)
class DriftWarning:
    """A column of the newest span has changed by more than the schema's threshold."""

    newest: str
    change: Change

    def __str__(self) -> str:
        return f"span {self.newest}: {self.change}"


Reason: TypeAlias = NoRowRead | DamagedRows | Drifted | EmptySplit | Anomaly
"""A reason to refuse; `str` puts it in words, with a remedy."""


class DataRefused(BadInput):
    """The data is not fit to learn from.

    Attributes:
        reasons: everything that is wrong, as data.
    """

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(reasons)
        lines = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"The data was refused, nothing was trained:{lines}")


def split_anomalies(validated: Validated) -> list[EmptySplit | Anomaly]:
    """Return what ExampleValidator found in one split, warnings last."""
    anomalies = validated.anomalies
    if anomalies.data_missing:
        return [EmptySplit(validated)]
    result = [Anomaly(validated, *item) for item in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        result.append(Anomaly(validated, None, anomalies.dataset_anomaly_info))
    return [*sorted(result, key=lambda anomaly: anomaly.is_warning)]


def quarantine_reasons(
    summary: IngestSummary, file: str, share_max: float
) -> Iterator[NoRowRead | DamagedRows]:
    """Yield the reason to refuse because of damaged rows, if there is one.

    Args:
        summary: counts of the rows.
        file: the file that holds the damaged rows.
        share_max: share of the rows read that may be quarantined, 0 to 1.
    """
    read = summary.rows.read
    if read == 0:
        yield NoRowRead()
    elif summary.refused > share_max * read:
        yield DamagedRows(read, summary.quarantined, share_max, file)


def drift_reasons(drift: DriftReport | None, drift_max: float | None) -> list[Drifted]:
    """Return the columns in which the newest span is too unlike the one before it.

    Args:
        drift: SpanDrift's report; None without spans.
        drift_max: drift of a column that may pass, 0 to 1; None: any.
    """
    if drift is None or drift_max is None:
        return []
    return [
        Drifted(drift.newest, drift.previous, change, drift_max)
        for change in drift.changes
        if change.kind == "drift" and change.value > drift_max
    ]


def check(
    splits: Iterable[Validated],
    summary: IngestSummary,
    file: str,
    share_max: float,
    drift: DriftReport | None = None,
    drift_max: float | None = None,
) -> list[Anomaly | DriftWarning]:
    """Let good data pass.

    Args:
        splits: every split that ExampleValidator looked at.
        summary: as for `quarantine_reasons`, like `file` and `share_max`.
        file: the file that holds the damaged rows.
        share_max: share of the rows read that may be quarantined, 0 to 1.
        drift: as for `drift_reasons`, like `drift_max`.
        drift_max: drift of a column that may pass, 0 to 1; None: any.

    Returns:
        Warnings, which stop nothing.

    Raises:
        DataRefused: with every reason at once, so that one round of mending is enough.
    """
    reasons: list[Reason] = [
        *quarantine_reasons(summary, file, share_max),
        *drift_reasons(drift, drift_max),
    ]
    warnings: list[Anomaly | DriftWarning] = []
    for split in splits:
        for anomaly in split_anomalies(split):
            if isinstance(anomaly, Anomaly) and anomaly.is_warning:
                warnings.append(anomaly)
            else:
                reasons.append(anomaly)
    if reasons:
        raise DataRefused(reasons)
    if drift is not None:
        warnings += [DriftWarning(drift.newest, change) for change in drift.warnings]
    return warnings
