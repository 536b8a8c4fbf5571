"""How far the newest span is from the one before it, and from what is trained on; by TFDV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList

_MEASURES: Final = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "L-infinity",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon",
}
"""L-infinity: the largest change of one value's share. Jensen-Shannon: the divergence of the whole
distribution. 0 is no change, 1 the largest there can be."""


@dataclass(frozen=True)
class Change:
    """One column, compared in one way."""

    column: str
    kind: Literal["drift", "skew"]
    """Against the span before, or against the train split."""
    measure: str
    value: float
    """0 to 1."""
    threshold: float
    """Of the comparator in the schema."""

    @property
    def exceeded(self) -> bool:
        """Whether it is worth a warning."""
        return self.value > self.threshold

    def __str__(self) -> str:
        against = "the span before" if self.kind == "drift" else "what is trained on"
        return (
            f"{self.column} has changed against {against}: {self.measure} {self.value:.3f}, "
            f"above {self.threshold:g}."
        )

    def as_json(self) -> dict[str, Any]:
        """With the verdict."""
        return {**asdict(self), "exceeded": self.exceeded}


def statistics(rows: pa.RecordBatch) -> Statistics:
    """TFDV's statistics of rows in memory."""
    return generate_statistics_in_memory(rows, tfdv.StatsOptions())


def changes(
    newest: pa.RecordBatch,
    previous: pa.RecordBatch,
    trained: Statistics | None,
    schemas: Sequence[schema_pb2.Schema],
) -> list[Change]:
    """All that the schemas' comparators compare, the widest first.

    Args:
        newest, previous: samples of two spans.
        trained: statistics of the train split; none: no skew.
        schemas: whose comparators count; columns that the samples lack are left out.
    """
    now, before = statistics(newest), statistics(previous)
    found: dict[tuple[str, str, str], Change] = {}
    for schema in schemas:
        drift = tfdv.validate_statistics(now, schema, previous_statistics=before)
        for change in _read(drift, "drift", newest.schema.names):
            found.setdefault((change.column, change.kind, change.measure), change)
        if trained is None:
            continue
        skew = tfdv.validate_statistics(trained, schema, serving_statistics=now)
        of_trained = {f.path.step[0] for f in trained.datasets[0].features}
        for change in _read(skew, "skew", of_trained & set(newest.schema.names)):
            found.setdefault((change.column, change.kind, change.measure), change)
    return sorted(found.values(), key=lambda c: (c.threshold - c.value, c.column))


def _read(
    anomalies: anomalies_pb2.Anomalies,
    kind: Literal["drift", "skew"],
    columns: Sequence[str] | set[str],
) -> list[Change]:
    found = []
    for info in anomalies.drift_skew_info:
        column = ".".join(info.path.step)
        if column not in columns:
            continue
        measured = info.drift_measurements if kind == "drift" else info.skew_measurements
        found += [
            Change(column, kind, _MEASURES[m.type], round(m.value, 6), m.threshold)
            for m in measured
            if m.type in _MEASURES
        ]
    return found
