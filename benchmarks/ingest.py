"""Reading ratings: RatingsExampleGen, CsvExampleGen, and the limit (columnar CSV to Parquet)."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import common, data

OURS, STOCK, BARE = "RatingsExampleGen", "CsvExampleGen", "pyarrow: CSV to Parquet"


def ours(ratings: int) -> common.Measured:
    """Our executor: validated, split, sorted, with catalogue and quarantine."""
    from tfx.types import standard_artifacts

    from components.artifacts import Quarantine
    from components.example_gen import Executor
    from reelflow.config import DataConfig, SplitConfig

    outputs = {
        "examples": standard_artifacts.Examples,
        "catalogue": standard_artifacts.Examples,
        "quarantine": Quarantine,
    }
    settings = {
        "data": DataConfig().model_dump_json(),
        "split": SplitConfig().model_dump_json(),
    }
    return _timed(Executor, outputs, data.folder(ratings), settings)


def stock(ratings: int) -> common.Measured:
    """TFX's executor on the same ratings file, with its default two splits, and nothing else."""
    from tfx.components.example_gen import utils
    from tfx.components.example_gen.csv_example_gen.executor import Executor
    from tfx.proto import example_gen_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    config = utils.make_default_output_config(utils.make_default_input_config())
    settings = {
        "output_config": proto_utils.proto_to_json(config),
        "output_data_format": example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE,
        "output_file_format": example_gen_pb2.FileFormat.FORMAT_TFRECORDS_GZIP,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ratings.csv").symlink_to(data.folder(ratings) / "ratings.csv")
        outputs = {"examples": standard_artifacts.Examples}
        return _timed(Executor, outputs, Path(folder), settings)


def bare(ratings: int) -> common.Measured:
    """What any reader has to do: parse the columns, write them compressed."""
    import pyarrow.csv
    import pyarrow.parquet

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        table = pyarrow.csv.read_csv(data.folder(ratings) / "ratings.csv")
        pyarrow.parquet.write_table(table, Path(folder) / "ratings.parquet")
        return {"seconds": time.perf_counter() - started}


def _timed(
    executor: Any, outputs: dict[str, Any], folder: Path, settings: dict[str, Any]
) -> common.Measured:
    from tfx.components.example_gen.utils import make_default_input_config
    from tfx.utils import proto_utils

    from pipeline.beam_args import DIRECT

    with tempfile.TemporaryDirectory() as out:
        artifacts = {}
        for name, kind in outputs.items():
            artifacts[name] = kind()
            artifacts[name].uri = f"{out}/{name}/1"
            Path(artifacts[name].uri).mkdir(parents=True)
        properties = {
            "input_base": str(folder),
            "input_config": proto_utils.proto_to_json(make_default_input_config()),
            **settings,
        }
        context = executor.Context(
            tmp_dir=f"{out}/tmp", unique_id="1", beam_pipeline_args=[*DIRECT]
        )
        started = time.perf_counter()
        executor(context).Do({}, {name: [a] for name, a in artifacts.items()}, properties)
        return {"seconds": time.perf_counter() - started}


def main() -> None:
    """Measure and reports."""
    chosen = common.options(__doc__)
    ratings = 100_000 if chosen.short else 1_000_000
    data.folder(ratings)
    results = common.interleaved(
        {
            OURS: lambda: common.fresh("ingest:ours", ratings=ratings),
            STOCK: lambda: common.fresh("ingest:stock", ratings=ratings),
            BARE: lambda: common.fresh("ingest:bare", ratings=ratings),
        },
        chosen.repeats or (1 if chosen.short else 3),
    )
    seconds = {name: common.median(runs, "seconds") for name, runs in results.items()}
    rows = [
        {
            "reader": name,
            "seconds": seconds[name],
            "ratings/s": ratings / seconds[name],
            "× CsvExampleGen": seconds[STOCK] / seconds[name],
            "time ÷ bare": seconds[name] / seconds[BARE],
            "peak MB": common.median(runs, "peak_mb"),
        }
        for name, runs in results.items()
    ]
    common.report(
        "ingest",
        f"Reading {ratings:,} ratings",
        rows,
        short=chosen.short,
        details={"runs": results},
    )


if __name__ == "__main__":
    main()
