"""What every benchmark needs: options, fresh processes, interleaved repeats, medians, tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "tfx",
    "tensorflow",
    "tensorflow-recommenders",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "apache-beam",
    "pyarrow",
    "numpy",
)

Measured = dict[str, Any]
_Key = TypeVar("_Key")
_Result = TypeVar("_Result")

_console = Console(highlight=False)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of a benchmark: `--short` and `--repeats N`."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--short", action="store_true", help="small data, one repeat")
    found.add_argument("--repeats", type=int, default=None, help="of every measurement")
    return found


def options(description: str | None) -> argparse.Namespace:
    """The parsed command line of a benchmark without options of its own."""
    return parser(description).parse_args()


def fresh(function: str, **arguments: Any) -> Measured:
    """Call `module:function` in a process of its own, so that times and memory are its own.

    Args:
        function: a module of `benchmarks` and a function in it that returns a dictionary.
        arguments: keyword arguments, as JSON can hold them.

    Returns:
        What the function returned, and `import_seconds`, `call_seconds`, `cpu_seconds` and
        `peak_mb` of the process.

    Raises:
        RuntimeError: the process failed; with the end of what it had to say.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "measured.json"
        command = [sys.executable, "-m", "benchmarks.child", function, json.dumps(arguments), out]
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        if done.returncode or not out.exists():
            raise RuntimeError(f"{function} failed:\n{done.stderr[-4000:]}")
        measured: Measured = json.loads(out.read_text())
        return measured


def interleaved(
    variants: Mapping[_Key, Callable[[], _Result]], repeats: int
) -> dict[_Key, list[_Result]]:
    """Call A B C, A B C, ...: what slows the machine down for a while slows all of them."""
    results: dict[_Key, list[_Result]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, measure in variants.items():
            results[name].append(measure())
            _console.print(f"[dim]{datetime.now():%H:%M:%S}  {name}[/dim]")
    return results


def median(results: Iterable[Measured], key: str) -> float:
    """Median of one value over the repeats."""
    return float(statistics.median(result[key] for result in results))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages * page / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in PACKAGES
    }


def report(
    name: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    short: bool,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Print a table and writes `benchmarks/results/<name>.json`.

    Args:
        name: of the benchmark.
        title: of the table.
        rows: column name to value, the same columns in each row.
        short: whether this was the short form, whose figures are written beside the others.
        details: whatever else is to be kept.
    """
    show(title, rows)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}{'-short' if short else ''}.json"
    content = {
        "benchmark": name,
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "short": short,
        "machine": machine(),
        "versions": versions(),
        "rows": [dict(row) for row in rows],
        **(details or {}),
    }
    path.write_text(json.dumps(content, indent=2, default=float) + "\n")
    _console.print(f"[dim]{path.relative_to(RESULTS.parents[1])}[/dim]")


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table; the same columns in each row."""
    table = Table(title=title)
    for at, column in enumerate(rows[0]):
        table.add_column(column, justify="right" if at else "left")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    _console.print(table)


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
