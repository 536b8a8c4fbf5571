"""Options that several sub-commands have. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelflow.config.loading import preset_list

DEFAULT_OUTPUT = Path("output")

Output = Annotated[
    Path,
    typer.Option("--output", help="Folder of runs, artifacts and pushed models.", metavar="DIR"),
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", help="TOML file, or the name of a bundled one.", metavar="FILE"),
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help=f"A known model design: {preset_list()}.", metavar="NAME"),
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
