"""A default `reelflow run`, as typed: seconds, processor seconds and modules by component."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import common, data

IMPORTS, END = "imports", "summary and examples"
GROUPS = {
    "statistics, schemas, validation": (
        *("RatingsSchema", "RatingsStatistics", "RatingsValidator"),
        *("MoviesSchema", "MoviesStatistics", "MoviesValidator", "DataGate"),
    ),
    "look-ups, Pusher": ("RegistryResolver", "ChampionResolver", "Pusher"),
}
"""Components that are one line of the table."""


def measure(path: str | None, overrides: list[str]) -> common.Measured:
    """Run the command in this process.

    Args:
        path: folder of ratings; None for the built-in sample.
        overrides: as of `--set`.
    """
    import typer

    command: Any = import_module("pipeline.cli.run")
    parts: list[dict[str, Any]] = []
    last = _used()

    def part(name: str) -> None:
        nonlocal last
        now = _used()
        spent = {key: now[key] - last[key] for key in now}
        parts.append({"component": name, **spent})
        last = now

    show = command.show_events

    def watched(progress: Any, events: Iterator[Any]) -> None:
        part(IMPORTS)
        show(progress, _each(events))

    def _each(events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            if hasattr(event, "state"):  # a node has ended
                part(event.node)
            yield event

    command.show_events = watched
    code = None
    with tempfile.TemporaryDirectory(dir=data.FOLDER) as output:
        try:
            command.run(
                data=None if path is None else Path(path), overrides=overrides, output=Path(output)
            )
        except typer.Exit as ended:
            code = ended.exit_code
        part(END)
    return {"parts": parts, "exit_code": code, "modules": len(sys.modules)}


def _used() -> dict[str, float]:
    """Return what this process and its children have used so far."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return {"seconds": time.perf_counter(), "CPU s": cpu, "modules": len(sys.modules)}


def main() -> None:
    """Measure and report."""
    parser = common.parser(__doc__)
    parser.add_argument("--data", default=None, help="folder of ratings; the built-in sample")
    parser.add_argument("--set", action="append", default=[], help="as of `reelflow run`")
    chosen = parser.parse_args()
    data.FOLDER.mkdir(parents=True, exist_ok=True)
    name = Path(chosen.data).name if chosen.data else "sample"
    runs = common.interleaved(
        {
            name: partial(
                common.fresh, "default_run:measure", path=chosen.data, overrides=chosen.set
            )
        },
        chosen.repeats or 1,
    )[name]
    lines = dict.fromkeys(_line(part["component"]) for part in runs[0]["parts"])
    rows = [{"component": line, **_median(runs, [line])} for line in lines]
    rows.append({"component": "all", **_median(runs, [*lines])})
    common.report(
        f"default-run-{name}",
        f"A default run on {name}",
        rows,
        short=chosen.short,
        details={"runs": runs},
    )


def _line(component: str) -> str:
    return next((line for line, parts in GROUPS.items() if component in parts), component)


def _median(runs: list[common.Measured], lines: list[str]) -> dict[str, float]:
    """Return the medians over the runs of what the components of some lines took together."""
    sums = [
        {
            key: sum(part[key] for part in run["parts"] if _line(part["component"]) in lines)
            for key in ("seconds", "CPU s", "modules")
        }
        for run in runs
    ]
    return {key: common.median(sums, key) for key in sums[0]}


if __name__ == "__main__":
    main()
