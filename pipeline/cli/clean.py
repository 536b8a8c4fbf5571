"""`reelflow clean`: what older runs have left, removed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from pipeline.cli import options
from pipeline.cli.output import console, print_json
from pipeline.runs.process import locked_output
from reelflow.config.layout import Layout, RunFolder
from reelflow.config.loading import load

_NOUNS = {
    "run": ("folder of a run", "folders of runs"),
    "artifact": ("artifact", "artifacts"),
    "version": ("version in the registry", "versions in the registry"),
    "registration": ("registration that was cut off", "registrations that were cut off"),
}


def clean(
    output: options.Output = options.DEFAULT_OUTPUT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove what the section [keep] lets go: old runs, artifacts, registered versions.

    Every `reelflow run` does so at its end. What serves, what has an alias or a pin, the last
    champions and what the cache needs stay.
    """
    from pipeline.runs import retention

    layout = Layout.of(output)
    file = RunFolder(layout.latest).config
    config = load(file if file.is_file() else None, overrides or ())
    with locked_output(layout):
        removals = retention.plan(layout, config)
        if not dry_run:
            retention.carry_out(removals, layout, config)
    if as_json:
        listed = [{"kind": r.kind, "name": r.name, "bytes": r.bytes} for r in removals]
        print_json({"removed": not dry_run, "items": listed})
        return
    verb = "Would remove" if dry_run else "Removed"
    for removal in removals if dry_run else ():
        console.print(Text(f"{megabytes(removal.bytes):>12}  {removal.name}"), soft_wrap=True)
    for kind, noun in _NOUNS.items():
        of_kind = [removal for removal in removals if removal.kind == kind]
        if of_kind:
            room = megabytes(sum(removal.bytes for removal in of_kind))
            counted = f"{len(of_kind):,} {noun[len(of_kind) > 1]}"
            console.print(f"{verb} {counted}, {room}.", soft_wrap=True)
    if not removals:
        console.print(f"Nothing in {layout.output} is older than [keep] says.", soft_wrap=True)


def megabytes(size: int) -> str:
    """Return a number of bytes as `12.3 MB`."""
    return f"{size / 1e6:,.1f} MB"
