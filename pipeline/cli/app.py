"""What all sub-commands share: the console, the `--output` option and the way errors are shown."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup
from typer.main import get_group

from reelflow.base.errors import ReelflowError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

DEFAULT_OUTPUT = Path("output")

Output = Annotated[
    Path,
    typer.Option("--output", help="Folder of runs, artifacts and pushed models.", metavar="DIR"),
]

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def show_error(error: ReelflowError) -> None:
    """What is wrong, then what to do about it, on stderr."""
    errors.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.remedy:
        errors.print(Text(error.remedy, style="cyan"), soft_wrap=True)


# The group behind `reelflow`: imports a sub-command when it is called, and shows our errors.
# Importing all of them takes longer than `reelflow --help` may take.


SUBCOMMANDS = {
    "run": ("pipeline.cli.run:run", "Train a recommender and push it if it earns it."),
    "schedule": (
        "pipeline.cli.schedule:schedule_app",
        "Train again by the clock, on this machine.",
    ),
    "runs": ("pipeline.cli.runs:runs", "List the runs and what came of them."),
    "report": ("pipeline.cli.runs:report", "Show a run's report, or two runs side by side."),
    "compare": (
        "pipeline.cli.compare:compare",
        "Compare configurations and baselines on one split.",
    ),
    "sweep": (
        "pipeline.cli.compare:sweep",
        "Weigh retrieval against rating, and show what each weight costs.",
    ),
    "recommend": (
        "pipeline.cli.recommend:recommend",
        "Recommend movies that a user has not rated.",
    ),
    "rate": (
        "pipeline.cli.recommend:rate",
        "Predict the rating that a user would give a movie, in stars.",
    ),
    "similar": (
        "pipeline.cli.recommend:similar",
        "Show the movies that are most like a movie.",
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
        """Run the sub-command.

        Raises:
            typer.Exit: with the error's exit code, after the message.
        """
        try:
            return super().invoke(ctx)
        except ReelflowError as error:
            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
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


# Puts the sub-commands together; `reelflow --help` must answer at once, so nothing heavy here.


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
