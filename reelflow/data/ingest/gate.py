"""The data gate: refuses data that nothing should be learned from, with every reason at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.base.errors import BadInput
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.data.quarantine import RATING_RANGE

_Info = anomalies_pb2.AnomalyInfo

# TFDV has some eighty kinds of anomaly; these are the ones that our schemas can meet.
_MISSING = "Fill in the missing values, or check data.columns: the column may have another name."
_VALUES = "Correct the values in the source files, or delete them where they may be missing."
_DRIFT = "Find out what changed since the last span."
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
    _Info.UNEXPECTED_DATA_TYPE: (
        "Check data.columns and the source files: the column holds something else."
    ),
    _Info.SCHEMA_NEW_COLUMN: "Describe the new column in the schema, or leave it out.",
    _Info.COMPARATOR_L_INFTY_HIGH: _DRIFT,
    _Info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH: _DRIFT,
}
_ANY_REMEDY: Final = "Compare the statistics with the schema, and mend the source files."


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data; `str` puts it in words, with a remedy."""

    kind: Literal["no_row", "damaged_rows", "drift", "empty_split", "anomaly"]
    where: str
    """As `ratings, split train, column year`."""
    text: str
    warning: bool = False
    """True if it stops nothing."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class DataRefused(BadInput):
    """The data is not fit to learn from.

    Attributes:
        reasons: everything that is wrong.
    """

    def __init__(self, reasons: Iterable[Finding]) -> None:
        self.reasons = tuple(reasons)
        lines = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"The data was refused, nothing was trained:{lines}")


@dataclass(frozen=True)
class Validated:
    """ExampleValidator's anomalies of one split."""

    name: str
    """`ratings` or `movies`."""
    split: str
    anomalies: anomalies_pb2.Anomalies


def split_anomalies(validated: Validated) -> list[Finding]:
    """Return what ExampleValidator found in one split, warnings last."""
    name, split, anomalies = validated.name, validated.split, validated.anomalies
    where = name if name == split else f"{name}, split {split}"
    if anomalies.data_missing:  # which ExampleValidator itself takes for a blessing
        advice = "Give more ratings, or a larger share to the split in [split]."
        return [Finding("empty_split", where, f"there is not one row. {advice}")]
    places = [(f"column {at}", info) for at, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        places.append(("as a whole", anomalies.dataset_anomaly_info))
    findings = []
    for place, info in places:
        remedies = dict.fromkeys(_REMEDIES.get(reason.type, _ANY_REMEDY) for reason in info.reason)
        parts = [info.short_description, info.description, *(remedies or {_ANY_REMEDY: None})]
        words = " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)
        warning = bool(info.severity == _Info.WARNING)
        findings.append(Finding("anomaly", f"{where}, {place}", words, warning))
    return sorted(findings, key=lambda finding: finding.warning)


def drift_reasons(drift: DriftReport | None, drift_max: float | None) -> list[Finding]:
    """Return the columns whose drift is above `drift_max`, 0 to 1; none without a maximum."""
    if drift is None or drift_max is None:
        return []
    return [
        Finding(
            "drift",
            f"span {drift.newest}, column {change.column}",
            f"{change.measure} {change.value:.3f} against span {drift.previous}, and "
            f"data.max_drift allows {drift_max:g}. Find out what changed, or raise data.max_drift.",
        )
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
) -> list[Finding]:
    """Let good data pass, and return the warnings.

    Args:
        splits: every split that ExampleValidator looked at.
        summary: counts of the rows.
        file: path of the quarantine, for the message.
        share_max: share of the rows read that may be quarantined, 0 to 1.
        drift: SpanDrift's report; None without spans.
        drift_max: drift of a column that may pass, 0 to 1; None: any.

    Raises:
        DataRefused: with every reason at once, so that one round of mending is enough.
    """
    findings: list[Finding] = []
    read, refused = summary.rows.read, summary.refused
    if read == 0:
        text = "no row was read. Check data.path and data.format."
        findings.append(Finding("no_row", "ratings", text))
    elif refused > share_max * read:
        by_count = sorted(summary.quarantined.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{reason} {count:,}" for reason, count in by_count if count)
        text = (
            f"{refused:,} of {read:,} rows are damaged ({refused / read:.2%}), and "
            f"data.max_quarantined allows {share_max:.2%} ({listed}). The rows are in {file}; "
            "mend them, or raise data.max_quarantined."
        )
        if summary.quarantined.get(RATING_RANGE.name):
            text += (
                " If ratings out of range are right, set data.rating_min and data.rating_max; a "
                'value that stands for "not rated" goes into data.unrated.'
            )
        findings.append(Finding("damaged_rows", "ratings", text))
    findings += drift_reasons(drift, drift_max)
    for split in splits:
        findings += split_anomalies(split)
    if drift is not None:
        findings += [
            Finding("drift", f"span {drift.newest}", str(change), warning=True)
            for change in drift.warnings
        ]
    reasons = [finding for finding in findings if not finding.warning]
    if reasons:
        raise DataRefused(reasons)
    return findings
