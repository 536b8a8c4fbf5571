"""What the sub-commands that ask a pushed model share: finding it, and how answers are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from serving.catalogue import Catalogue
    from serving.model import Item, ServedModel

Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Folder of one model, or of several versions, instead of the one in --output.",
        metavar="DIR",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def load(model: Path | None, output: Path) -> ServedModel:
    """Load the named model, or else the newest one pushed in the output folder.

    Raises:
        BadInput: there is none.
    """
    from pipeline.layout import Layout
    from serving.model import ServedModel, latest_version

    folder = model or Layout.of(output).serving
    if not (folder / "saved_model.pb").is_file():
        folder = latest_version(folder)
    return ServedModel.load(folder)


def print_json(content: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def films_table(items: Iterable[Item], catalogue: Catalogue, score: str) -> Table:
    """Films with place, title, genres, score and id.

    Args:
        items: best first.
        catalogue: where the genres are.
        score: heading of the score's column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right", style="dim")
    table.add_column("film", style="bold", overflow="fold")
    table.add_column("genres", style="dim", overflow="fold")
    table.add_column(score, justify="right")
    table.add_column("movie_id", justify="right", style="cyan", no_wrap=True)
    for place, item in enumerate(items, start=1):
        genres = ", ".join(catalogue.films[item.movie_id].genres)
        cells = (str(place), item.title, genres, f"{item.score:.3f}", item.movie_id)
        table.add_row(*map(Text, cells))
    return table
