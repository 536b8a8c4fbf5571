"""What stops the data, and how it is put in words."""

from __future__ import annotations

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.base.errors import BadInput
from reelflow.data.ingest.checks import DataRefused
from reelflow.data.ingest.gate import (
    Validated,
    check,
    split_anomalies,
)
from tests.ingested import ingest_summary

Info = anomalies_pb2.AnomalyInfo
CLEAN = ingest_summary(quarantined={})
FILE = "somewhere/quarantine.tsv"


def _anomaly(kind: int, short: str, long: str, severity: int = Info.ERROR) -> Info:
    reason = Info.Reason(type=kind, short_description=short, description=long)
    return Info(severity=severity, short_description=short, description=long, reason=[reason])


def _validated(name: str = "ratings", split: str = "train", **columns: Info) -> Validated:
    return Validated(name, split, anomalies_pb2.Anomalies(anomaly_info=columns))


def test_good_data_passes() -> None:
    assert check([_validated(), _validated("movies", "movies")], CLEAN, FILE, 0.0) == []


def test_an_anomaly_names_split_column_and_remedy() -> None:
    negative = _anomaly(Info.INT_TYPE_SMALL_INT, "Out-of-range values", "Unexpectedly small: -5.")
    (anomaly,) = split_anomalies(_validated("movies", "movies", year=negative))
    assert str(anomaly) == (
        "movies, column year: Out-of-range values. Unexpectedly small: -5. Correct the values in "
        "the source files, or delete them where they may be missing."
    )
    assert not anomaly.warning


def test_an_unforeseen_anomaly_has_a_remedy_too() -> None:
    odd = _anomaly(Info.UNKNOWN_TYPE, "Odd", "So it is")
    (anomaly,) = split_anomalies(_validated(rating=odd))
    assert str(anomaly).startswith("ratings, split train, column rating: Odd. So it is. Compare")


def test_a_warning_stops_nothing() -> None:
    odd = _anomaly(Info.SCHEMA_NEW_COLUMN, "New column", "Not in the schema.", Info.WARNING)
    (warning,) = check([_validated(director=odd)], CLEAN, FILE, 0.0)
    assert "column director: New column" in str(warning)


def test_an_empty_split_is_refused() -> None:
    empty = Validated("ratings", "test", anomalies_pb2.Anomalies(data_missing=True))
    with pytest.raises(DataRefused, match="ratings, split test: there is not one row"):
        check([empty], CLEAN, FILE, 0.0)


def test_an_anomaly_of_the_whole_split_is_refused() -> None:
    few = anomalies_pb2.Anomalies()
    few.dataset_anomaly_info.CopyFrom(_anomaly(Info.DATASET_LOW_NUM_EXAMPLES, "Few", "Too few."))
    (anomaly,) = split_anomalies(Validated("ratings", "train", few))
    assert str(anomaly).startswith("ratings, split train, as a whole: Few. Too few.")


@pytest.mark.parametrize(("damaged", "refused"), [(50, False), (51, True)])
def test_the_bound_on_damaged_rows_is_inclusive(damaged: int, refused: bool) -> None:
    counts = {"rating": damaged - 10, "columns": 10}
    report = ingest_summary(read=1000, quarantined=counts)
    if not refused:
        assert check([], report, FILE, 0.05) == []
        return
    with pytest.raises(DataRefused) as refusal:
        check([], report, FILE, 0.05)
    (reason,) = refusal.value.reasons
    assert reason.kind == "damaged_rows"
    assert str(reason) == (
        "ratings: 51 of 1,000 rows are damaged (5.10%), and data.max_quarantined allows 5.00% "
        "(rating 41, columns 10). The rows are in somewhere/quarantine.tsv; mend them, or raise "
        "data.max_quarantined."
    )


def test_all_reasons_come_at_once_as_bad_input() -> None:
    missing = _anomaly(Info.FEATURE_TYPE_LOW_FRACTION_PRESENT, "Column dropped", "Present in 90 %")
    damaged = ingest_summary(read=10, quarantined={"empty_id": 10})
    with pytest.raises(BadInput) as refusal:
        check([_validated(rating=missing, user_id=missing)], damaged, FILE, 0.5)
    lines = refusal.value.message.splitlines()
    assert len(lines) == 4
    assert refusal.value.exit_code == 2
