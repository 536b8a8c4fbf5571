"""What all sub-commands share: the console, the `--output` option and the way errors are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from ratings.errors import ReelflowError

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


class Commands(TyperGroup):
    """A group of sub-commands that turns our errors and Ctrl-C into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # typer brings its own Context or click's, by version
        """Runs the sub-command.

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
