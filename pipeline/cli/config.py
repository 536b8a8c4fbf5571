"""`reelflow config`: what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import console
from reelflow.config.loading import listed

config_app = typer.Typer(help="Show the configuration.", no_args_is_help=True)

ConfigFile = Annotated[
    str | None,
    typer.Option("--config", help="TOML file, or the name of a bundled one.", metavar="FILE"),
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help=f"A known model design: {listed()}.", metavar="NAME"),
]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of ratings files.", metavar="DIR")
]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", help="A downloaded set (`reelflow data download`).", metavar="NAME"),
]
Span = Annotated[
    str | None,
    typer.Option(
        "--span",
        help="Newest span of the data to read: latest, a number or a date.",
        metavar="SPAN",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override one key; may be repeated.", metavar="SECTION.KEY=VALUE"),
]


@config_app.callback()
def _group() -> None:
    """Keep `show` a sub-command while it is the only one."""


@config_app.command()
def show(config: ConfigFile = None, preset: Preset = None, overrides: Overrides = None) -> None:
    """Print the effective configuration as TOML, every key explained."""
    from reelflow.config.loading import load
    from reelflow.config.reference import render

    text = render(load(config, overrides or [], preset))
    if console.is_terminal:
        from rich.syntax import Syntax

        console.print(Syntax(text, "toml", background_color="default", theme="ansi_dark"))
    else:
        typer.echo(text, nl=False)
