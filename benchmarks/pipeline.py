"""Whole runs: our graph against the same graph of stock components with the tutorials' model."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import common, data

OURS, STOCK, STOCK_OFF = "Reelflow", "stock", "stock, metric off"
EPOCHS = 3
RECALLS = (10, 100)
"""Lengths of lists whose recall is measured."""

SETTINGS: dict[str, dict[str, Any]] = {
    # Values and gradients of TFRS's task (tests/reelflow/model/test_tfrs_parity.py), as ours.
    "model": {"loss": "in_batch_softmax"},
    "train": {"epochs": EPOCHS, "patience": EPOCHS, "refit": False},
    # Both sides push: what is measured is a run to its end.
    "gate": {"top_100_accuracy_min": 0.0, "rmse_max": 10.0, "baselines": []},
}
"""Over the preset `joint-basic`, which is the model that the stock graph trains."""


def ours(
    ratings: int,
    settings: dict[str, dict[str, Any]],
    preset: str,
    movies: int | None = None,
) -> common.Measured:
    """Our graph through our launcher, nothing cached; ratings and movies as for `data.folder`."""
    from pipeline.definition import create_pipeline
    from reelflow.config.loading import load

    path = str(data.folder(ratings, movies))
    settings = {**settings, "data": {**settings.get("data", {}), "path": path}}
    config = load(
        None,
        [
            f"{s}.{key}={json.dumps(value)}"
            for s, keys in settings.items()
            for key, value in keys.items()
        ],
        preset,
    )
    with tempfile.TemporaryDirectory(dir=data.FOLDER) as output:
        measured = _run(create_pipeline(config, output))
        if config.model.approximate_from is not None:
            measured["recall"] = _recall(Path(output))
        return measured


def _recall(output: Path) -> dict[str, float]:
    """Shares of the exact lists that the model finds, as ServingCheck measures them."""
    from reelflow.saved_model import golden, probe
    from reelflow.saved_model.client import Signatures
    from reelflow.saved_model.files import GOLDEN

    [model] = (path.parent for path in output.glob("artifacts/Trainer/**/saved_model.pb"))
    signatures = Signatures.load(model)
    users = golden.known_users(golden.read(model / GOLDEN))
    found = {f"recall@{k}": probe.recall(signatures, model, users, k) for k in RECALLS}
    return {name: value for name, value in found.items() if value is not None}


def stock(ratings: int, metric: bool) -> common.Measured:
    """The stock graph through the same launcher, nothing cached."""
    from benchmarks.stock.graph import create_pipeline

    with tempfile.TemporaryDirectory(dir=data.FOLDER) as output:
        folder = Path(output, "data")
        folder.mkdir()
        (folder / "ratings.csv").symlink_to(data.folder(ratings) / "ratings.csv")
        return _run(create_pipeline(str(folder), output, EPOCHS, metric))


def _run(pipeline: Any) -> common.Measured:
    from pipeline.runs import launcher

    started = time.perf_counter()
    nodes, cpu, peaks, states = {}, {}, {}, {}
    before = _processor_seconds()
    for event in launcher.run(launcher.compile_pipeline(pipeline, "benchmark")):
        if isinstance(event, launcher.NodeFinished):
            now = _processor_seconds()
            nodes[event.node], states[event.node] = event.seconds, str(event.state)
            cpu[event.node], before = now - before, now
            peaks[event.node] = _peak_mb()
    pushed = list(
        Path(pipeline.pipeline_info.pipeline_root).parent.glob("serving/**/saved_model.pb")
    )
    return {
        "seconds": time.perf_counter() - started,
        "nodes": nodes,
        "states": states,
        "node_cpu_seconds": cpu,
        "node_peak_mb": peaks,
        "peak_mb": max(peaks.values()),  # what the process knows of itself begins anew each time
        "pushed": len(pushed),
    }


def _processor_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    of_both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in of_both)


def _peak_mb() -> float:
    """The most memory since the last call, mapped files included; Linux alone can say that."""
    status = Path("/proc/self/status").read_text()
    [line] = (line for line in status.splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and reports."""
    parser = common.parser(__doc__)
    parser.add_argument("--ratings", type=int, nargs="*", default=[100_000, 1_000_000])
    chosen = parser.parse_args()
    # Imports happen inside the calls: the process's time less the run's is what they take.
    for ratings in (20_000,) if chosen.short else chosen.ratings:
        data.folder(ratings)
        results = common.interleaved(
            {
                OURS: partial(
                    common.fresh,
                    "pipeline:ours",
                    ratings=ratings,
                    settings=SETTINGS,
                    preset="joint-basic",
                ),
                STOCK_OFF: partial(common.fresh, "pipeline:stock", ratings=ratings, metric=False),
                STOCK: partial(common.fresh, "pipeline:stock", ratings=ratings, metric=True),
            },
            chosen.repeats or 1,
        )
        _report(ratings, results, chosen.short)


def _report(ratings: int, results: dict[str, list[common.Measured]], short: bool) -> None:
    ours = {key: common.median(results[OURS], key) for key in ("seconds", "call_seconds")}
    rows = []
    for name, runs in results.items():
        run, whole = common.median(runs, "seconds"), common.median(runs, "call_seconds")
        rows.append(
            {
                "graph": name,
                "seconds": run,
                "with imports": whole,
                "÷ ours": run / ours["seconds"],
                "÷ ours, with imports": whole / ours["call_seconds"],
                "CPU s": common.median(runs, "cpu_seconds"),
                "peak MB": common.median(runs, "peak_mb"),
                "pushed": int(common.median(runs, "pushed")),
            }
        )
    common.report(
        f"pipeline-{ratings}",
        f"A whole run on {ratings:,} ratings, {EPOCHS} epochs",
        rows,
        short=short,
        details={"runs": results},
    )
    nodes = [
        {"component": f"{name}: {node}", "seconds": seconds}
        for name, runs in results.items()
        for node, seconds in runs[0]["nodes"].items()
    ]
    common.show(f"By component, first repeat, {ratings:,} ratings", nodes)


if __name__ == "__main__":
    main()
