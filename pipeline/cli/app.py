"""The `reelflow` command: a sub-command's file is imported when it is called.

Importing all of them takes longer than `reelflow --help` may take.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from pipeline.runs.failures import exit_code, name_of
from reelflow.base.errors import ReelflowError

SUBCOMMANDS = {
    "run": ("run:run", "Train a recommender and push it if it earns it."),
    "schedule": ("schedule:schedule_app", "Train again by the clock, on this machine."),
    "runs": ("runs:runs", "List the runs and what came of them."),
    "report": ("runs:report", "Show a run's report, or two runs side by side."),
    "compare": ("compare:compare", "Compare configurations and baselines on one split."),
    "sweep": ("compare:sweep", "Weigh retrieval against rating, and show what each weight costs."),
    "recommend": ("recommend:recommend", "Recommend movies that a user has not rated."),
    "rate": ("recommend:rate", "Predict the rating that a user would give a movie, in stars."),
    "similar": ("recommend:similar", "Show the movies that are most like a movie."),
    "models": ("models:models_app", "List the registered models, promote one, roll back."),
    "clean": ("clean:clean", "Remove what older runs have left."),
    "serve": ("serve:serve", "Serve the pushed model: page and HTTP API."),
    "key": ("serve:key", "Make an API key for a server."),
    "kubeflow": (
        "kubeflow:kubeflow_app",
        "Compile, submit and schedule the pipeline on Kubeflow Pipelines.",
    ),
    "data": ("data:data_app", "Inspect and download ratings."),
    "config": ("data:config_app", "Show the configuration."),
}
"""Name of a sub-command to module here, name of its function or `Typer`, and its line in the help.
"""


class Commands(TyperGroup):
    """Group that loads a sub-command when it is called and turns errors into exit codes."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # typer brings its own Context
        """Return name, sub-command and its arguments; the registered one is a placeholder."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command.

        Raises:
            typer.Exit: with the error's exit code, after the message.
        """
        try:
            return super().invoke(ctx)
        except ReelflowError as error:
            from pipeline.cli.output import print_error

            print_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            from pipeline.cli.output import errors

            errors.print(f"{name_of(interrupt)}.")
            raise typer.Exit(exit_code(interrupt)) from None


def load(name: str) -> Any:
    """Import the sub-command of that name, ready to be called."""
    module, _, attribute = SUBCOMMANDS[name][0].partition(":")
    function = getattr(import_module(f"pipeline.cli.{module}"), attribute)
    # rich help takes twice as long to import as everything else together
    app = typer.Typer(rich_markup_mode=None)
    if isinstance(function, typer.Typer):
        app.add_typer(function, name=name)
    else:
        app.command(name)(function)
    return get_group(app).commands[name]


app = typer.Typer(
    cls=Commands,
    help="From ratings CSVs to a movie recommender that has earned its place in production.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # slow to import
)


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"reelflow {version('reelflow')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


for _name, (_, _help) in SUBCOMMANDS.items():
    app.command(_name, help=_help)(lambda: None)  # a placeholder: `resolve_command` imports it
