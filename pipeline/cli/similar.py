"""`reelflow similar`: films like one film, from a pushed model alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli import served
from pipeline.cli.console import DEFAULT_OUTPUT, Output, console


def similar(
    movie: Annotated[str, typer.Option("--movie", help="The film's id.", metavar="ID")],
    k: Annotated[int, typer.Option("--k", min=1, help="How many films.")] = 10,
    output: Output = DEFAULT_OUTPUT,
    model: served.Model = None,
    as_json: served.Json = False,
) -> None:
    """Show the films that are most like a film."""
    loaded = served.load(model, output)
    film = loaded.catalogue.films[loaded.catalogue.resolve(movie, "--movie")]
    items = loaded.similar(film.movie_id, k)
    if as_json:
        content = {"movie_id": film.movie_id, "title": film.title, "model": str(loaded.path)}
        served.print_json({**content, "items": [asdict(item) for item in items]})
        return

    from rich.text import Text

    console.print(Text("Films like"), Text(film.title, style="bold"))
    console.print(served.films_table(items, loaded.catalogue, "cosine"))
