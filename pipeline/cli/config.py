"""`reelflow config`: the effective configuration."""

from __future__ import annotations

import typer

from pipeline.cli.options import ConfigFile, Overrides, Preset
from pipeline.cli.output import console

config_app = typer.Typer(help="Show the configuration.", no_args_is_help=True)


@config_app.callback()
def _group() -> None:
    """Keep `show` a sub-command while it is the only one."""


@config_app.command()
def show(config: ConfigFile = None, preset: Preset = None, overrides: Overrides = None) -> None:
    """Print the effective configuration as TOML, every key explained."""
    from reelflow.config.loading import load, to_toml

    text = to_toml(load(config, overrides or [], preset))
    if console.is_terminal:
        from rich.syntax import Syntax

        console.print(Syntax(text, "toml", background_color="default", theme="ansi_dark"))
    else:
        typer.echo(text, nl=False)
