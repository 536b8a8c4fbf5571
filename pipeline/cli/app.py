"""Puts the sub-commands together; `reelflow --help` must answer at once, so nothing heavy here."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.commands import SUBCOMMANDS, Commands

app = typer.Typer(
    cls=Commands,
    help="From ratings CSVs to a movie recommender that has earned its place in production.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # slow to import
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"reelflow {version('reelflow')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the command itself."""


def _stand_in() -> None:
    """In the list for a sub-command, which is imported only when it is called."""


for _name, (_, _help) in SUBCOMMANDS.items():
    app.command(_name, help=_help)(_stand_in)
