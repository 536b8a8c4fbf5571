"""What all sub-commands share: the console, the `--output` option and the way errors are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

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
