"""DataGate on artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from reelflow.base.common import notices_to
from reelflow.data.ingest.checks import DataRefused
from reelflow.data.ingest.results import SpanCounts
from reelflow.data.spans import Span, Window
from tests.ingested import ingest_summary

pytestmark = pytest.mark.slow


def _inputs(folder: Path, ratings: anomalies_pb2.Anomalies) -> dict[str, Any]:
    from tfx.types import artifact_utils, standard_artifacts

    from components.artifacts import Quarantine

    inputs: dict[str, Any] = {}
    verdicts = {"ratings": ("train", ratings), "movies": ("movies", anomalies_pb2.Anomalies())}
    for name, (split, verdict) in verdicts.items():
        artifact = standard_artifacts.ExampleAnomalies()
        artifact.uri = str(folder / name)
        artifact.split_names = artifact_utils.encode_split_names([split])
        file = folder / name / f"Split-{split}" / "SchemaDiff.pb"
        file.parent.mkdir(parents=True)
        file.write_bytes(verdict.SerializeToString())
        inputs[f"{name}_anomalies"] = artifact
    quarantine = Quarantine()
    quarantine.uri = str(folder)
    ingest_summary(read=100).write(folder)
    return {**inputs, "quarantine": quarantine}


def test_bless_or_raise(tmp_path: Path) -> None:
    from components.artifacts import DataBlessing
    from components.data_gate import DataGate

    blessing = DataBlessing()
    blessing.uri = str(tmp_path / "blessing")
    inputs = _inputs(tmp_path, anomalies_pb2.Anomalies())
    DataGate.test_call(**inputs, blessing=blessing, max_quarantined=0.02)
    assert blessing.get_int_custom_property("blessed") == 1
    verdict = json.loads((tmp_path / "blessing/blessing.json").read_text())
    assert verdict["blessed"] is True
    assert verdict["quarantined"] == {"rating": 2}
    with pytest.raises(DataRefused, match=rf"2 of 100 rows .* {tmp_path}/quarantine.tsv"):
        DataGate.test_call(**inputs, blessing=blessing, max_quarantined=0.01)


def test_a_bad_span_is_refused_or_told(tmp_path: Path) -> None:
    from components.artifacts import DataBlessing
    from components.data_gate import DataGate

    inputs = _inputs(tmp_path, anomalies_pb2.Anomalies())
    spans = tuple(Span(number, str(number), f"/ratings/{number}") for number in (1, 2))
    counts = [
        SpanCounts(span=span.name, read=rows, damaged=damaged, kept=rows - damaged)
        for span, rows, damaged in zip(spans, (98, 2), (0, 2), strict=True)
    ]
    window = Window(spans, (), "/ratings")
    ingest_summary(read=100, window=window, span_counts=counts).write(tmp_path)
    blessing = DataBlessing()
    blessing.uri = str(tmp_path / "blessing")
    # Of all rows, 2 % are damaged.
    given = {**inputs, "blessing": blessing, "max_quarantined": 0.02}
    with pytest.raises(DataRefused, match=r"span 2: 100\.0% of its rows are damaged"):
        DataGate.test_call(**given)
    told: list[str] = []
    with notices_to(told.append):
        DataGate.test_call(**given, bounds='{"bounds": "warn"}')
    assert [words[:7] for words in told] == ["span 2:"]
    verdict = json.loads((tmp_path / "blessing/blessing.json").read_text())
    assert verdict["warnings"] == told
    DataGate.test_call(**given, bounds='{"accepted": ["2"]}')


def test_component() -> None:
    from tfx.types import channel, standard_artifacts

    from components.artifacts import DataBlessing, Quarantine
    from components.data_gate import DataGate

    gate = DataGate(
        ratings_anomalies=channel.Channel(type=standard_artifacts.ExampleAnomalies),
        movies_anomalies=channel.Channel(type=standard_artifacts.ExampleAnomalies),
        quarantine=channel.Channel(type=Quarantine),
        max_quarantined=0.05,
    )
    assert gate.outputs["blessing"].type is DataBlessing
    assert gate.exec_properties == {"max_quarantined": 0.05}
