"""The data gate: what TFDV finds in the data, beside the checks of ingestion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.config import DataGateConfig
from reelflow.data.ingest.checks import (
    Finding,
    damaged_rows,
    drift_reasons,
    drift_warnings,
    of_files,
    refuse,
)
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.data.ingest.span_checks import span_findings

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


def check(
    splits: Iterable[Validated],
    summary: IngestSummary,
    file: str,
    share_max: float,
    drift: DriftReport | None = None,
    drift_max: float | None = None,
    bounds: DataGateConfig | None = None,
) -> list[Finding]:
    """Let good data pass, and return the warnings.

    ExampleGen has refused by then what its counts tell; this looks at what TFDV has found, and once
    more at what depends on the run's options.

    Args:
        splits: every split that ExampleValidator looked at.
        summary: counts of the rows.
        file: path of the quarantine, for the message.
        share_max: share of the rows read that may be quarantined, 0 to 1.
        drift: SpanDrift's report; None without spans.
        drift_max: drift of a column that may pass, 0 to 1; None: any.
        bounds: of each new span by itself; the defaults without.

    Raises:
        DataRefused: with every reason at once, so that one round of mending is enough.
    """
    return refuse(
        [
            *of_files(summary),
            *damaged_rows(summary, share_max, file),
            *(finding for split in splits for finding in split_anomalies(split)),
            *span_findings(summary.span_counts, summary.window, bounds or DataGateConfig(), drift),
            *drift_reasons(drift, drift_max),
            *drift_warnings(drift),
        ]
    )
