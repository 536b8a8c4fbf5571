"""The group behind `reelflow`: imports a sub-command when it is called, and shows our errors.

Importing all of them takes longer than `reelflow --help` may take.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from ratings.errors import ReelflowError

SUBCOMMANDS = {
    "run": ("pipeline.cli.run:run", "Train a recommender and push it if it earns it."),
    "schedule": (
        "pipeline.cli.schedule:schedule_app",
        "Train again by the clock, on this machine.",
    ),
    "runs": ("pipeline.cli.runs:runs", "List the runs and what came of them."),
    "report": ("pipeline.cli.report:report", "Show a run's report, or two runs side by side."),
    "compare": (
        "pipeline.cli.compare:compare",
        "Compare configurations and baselines on one split.",
    ),
    "sweep": (
        "pipeline.cli.sweep:sweep",
        "Weigh retrieval against rating, and show what each weight costs.",
    ),
    "recommend": (
        "pipeline.cli.recommend:recommend",
        "Recommend films that a user has not rated.",
    ),
    "rate": (
        "pipeline.cli.rate:rate",
        "Predict the rating that a user would give a film, in stars.",
    ),
    "similar": (
        "pipeline.cli.similar:similar",
        "Show the films that are most like a film.",
    ),
    "models": (
        "pipeline.cli.models:models_app",
        "List the registered models, promote one, roll back.",
    ),
    "serve": ("pipeline.cli.serve:serve", "Serve the pushed model: page and HTTP API."),
    "kubeflow": (
        "pipeline.cli.kubeflow:kubeflow_app",
        "Compile, submit and schedule the pipeline on Kubeflow Pipelines.",
    ),
    "data": ("pipeline.cli.data:data_app", "Inspect and download ratings."),
    "config": ("pipeline.cli.config:config_app", "Show the configuration."),
}
"""Name of a sub-command to where its function or its own `Typer` is, and its line in the help."""


class Commands(TyperGroup):
    """Lists all sub-commands, loads the one that is called, turns errors into exit codes."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # typer brings its own Context
        """Name, sub-command and its arguments; what was registered only stands for it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Runs the sub-command.

        Raises:
            typer.Exit: with the error's exit code, after the message.
        """
        try:
            return super().invoke(ctx)
        except ReelflowError as error:
            from pipeline.cli.console import show_error

            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            from pipeline.cli.console import INTERRUPTED, errors

            errors.print("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None


def load(name: str) -> Any:
    """The sub-command of that name, ready to be called."""
    module, _, attribute = SUBCOMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    # rich help takes twice as long to import as everything else together
    app = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
    return get_group(app).commands[name]
