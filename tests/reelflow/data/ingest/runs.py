"""Runs of the executor, without a pipeline around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from tfx import types
from tfx.components.example_gen.utils import make_default_input_config
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import Quarantine
from components.example_gen import Executor
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.quarantine import QuarantinedRow
from tests.ingested import read_quarantine

OUTPUTS = {
    "examples": standard_artifacts.Examples,
    "catalogue": standard_artifacts.Examples,
    "quarantine": Quarantine,
}


class Run(NamedTuple):
    """What a run left behind."""

    artifacts: dict[str, types.Artifact]
    report: dict[str, Any]
    quarantined: list[QuarantinedRow]

    def rows(self, output: str, split: str) -> list[dict[str, Any]]:
        """Rows of a split in the order of shards; each column a list."""
        return split_rows(Path(self.artifacts[output].uri), split)


def split_rows(uri: Path, split: str) -> list[dict[str, Any]]:
    """Rows of a split in the order of shards; each column a list, texts decoded."""
    shards = sorted((uri / f"Split-{split}").iterdir())
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    return [{name: _decoded(cell) for name, cell in row.items()} for row in rows]


def _decoded(cell: list[Any] | None) -> list[Any] | None:
    return cell and [value.decode() if isinstance(value, bytes) else value for value in cell]


def execute(
    out: Path,
    folder: Path,
    data: DataConfig | None = None,
    split: SplitConfig | None = None,
    spans: Mapping[str, str] | None = None,
    beam_args: Sequence[str] = (),
) -> Run:
    """Run the executor on a data folder, or on the spans that are its parameters."""
    artifacts = {}
    for key, kind in OUTPUTS.items():
        artifacts[key] = kind()
        artifacts[key].uri = str(out / key / "1")
        Path(artifacts[key].uri).mkdir(parents=True)
    context = Executor.Context(
        tmp_dir=str(out / "tmp"), unique_id="1", beam_pipeline_args=[*beam_args]
    )
    properties = {
        "input_base": str(folder),
        "input_config": proto_utils.proto_to_json(make_default_input_config()),
        "data": (data or DataConfig()).model_dump_json(),
        "split": (split or SplitConfig()).model_dump_json(),
        **(spans or {}),
    }
    Executor(context).Do({}, {key: [value] for key, value in artifacts.items()}, properties)
    uri = Path(artifacts["quarantine"].uri)
    with (uri / "quarantine.tsv").open("rb") as file:
        rows = list(read_quarantine(file))
    return Run(artifacts, json.loads((uri / "report.json").read_text()), rows)
