"""Puts the sub-commands together; `reelflow --help` must answer at once, so nothing heavy here."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.compare import compare
from pipeline.cli.config import config_app
from pipeline.cli.console import Commands
from pipeline.cli.data import data_app
from pipeline.cli.rate import rate
from pipeline.cli.recommend import recommend
from pipeline.cli.run import run
from pipeline.cli.serve import serve
from pipeline.cli.similar import similar

app = typer.Typer(
    cls=Commands,
    help="From ratings CSVs to a movie recommender that has earned its place in production.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help takes twice as long to import as everything else together
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


app.command(short_help="Train a recommender and push it if it earns it.")(run)
app.command(short_help="Compare configurations and baselines on one split.")(compare)
app.command()(recommend)
app.command()(rate)
app.command()(similar)
app.command(short_help="Serve the pushed model: page and HTTP API.")(serve)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")
