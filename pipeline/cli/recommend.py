"""`reelflow recommend`: films for one user, from a pushed model alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli import served
from pipeline.cli.console import DEFAULT_OUTPUT, Output, console

_SOURCES = {
    "user": "from what the model knows of the user",
    "history": "unknown to the model: from the films given with --liked",
    "popularity": "unknown to the model: the most popular films",
}


def recommend(
    user: Annotated[str, typer.Option("--user", help="The user's id.", metavar="ID")],
    k: Annotated[int, typer.Option("--k", min=1, help="How many films.")] = 10,
    liked: Annotated[
        list[str] | None,
        typer.Option("--liked", help="A film the user likes; may be repeated.", metavar="ID"),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="A film to leave out; may be repeated.", metavar="ID"),
    ] = None,
    output: Output = DEFAULT_OUTPUT,
    model: served.Model = None,
    as_json: served.Json = False,
) -> None:
    """Recommend films that a user has not rated.

    A user whom the model does not know gets films like those given with --liked, or popular ones.
    """
    loaded = served.load(model, output)
    answer = loaded.recommend(
        user,
        k=k,
        history=[loaded.catalogue.resolve(film, "--liked") for film in liked or ()],
        exclusions=[loaded.catalogue.resolve(film, "--exclude") for film in exclude or ()],
    )
    if as_json:
        served.print_json({"user": user, "model": str(loaded.path), **asdict(answer)})
        return

    from rich.text import Text

    console.print(Text(f"Films for user {user}", style="bold"))
    console.print(Text(_SOURCES[answer.source], style="dim"), soft_wrap=True)
    console.print(served.films_table(answer.items, loaded.catalogue, "score"))
    if len(answer.items) < k:
        console.print(Text(f"No more than {len(answer.items)} films are left.", style="dim"))
