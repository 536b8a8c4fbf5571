"""Lists for all users on Beam: the parts are the whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import batch_beam
from pipeline.batch_beam import write_on_beam
from pipeline.beam_args import DIRECT
from reelflow.serving import messages as m
from reelflow.serving.batch import Job, write
from tests.reelflow.serving.test_batch import RULES, request


def test_parts_made_on_beam_are_the_whole(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_beam, "PART", 2)
    for asked in (request(rules=RULES), m.SimilarRequest(k=3)):
        job, kind = Job(str(exported), asked), type(asked).__name__
        write(job, tmp_path / f"{kind}.parquet", lambda *_: None)
        parts = write_on_beam(job, tmp_path / kind, ".parquet", DIRECT)
        files = sorted((tmp_path / kind).iterdir())
        assert len(files) == parts > 2
        whole = pa.concat_tables([pq.read_table(file) for file in files])
        expected = pq.read_table(tmp_path / f"{kind}.parquet")
        assert whole.drop(["score"]) == expected.drop(["score"])
        assert whole["score"].to_pylist() == pytest.approx(expected["score"].to_pylist())
