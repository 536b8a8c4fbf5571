"""`reelflow rate`: the rating one user would give one film, from a pushed model alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli import served
from pipeline.cli.console import DEFAULT_OUTPUT, Output, console


def rate(
    user: Annotated[str, typer.Option("--user", help="The user's id.", metavar="ID")],
    movie: Annotated[str, typer.Option("--movie", help="The film's id.", metavar="ID")],
    output: Output = DEFAULT_OUTPUT,
    model: served.Model = None,
    as_json: served.Json = False,
) -> None:
    """Predict the rating that a user would give a film, in stars."""
    loaded = served.load(model, output)
    film = loaded.catalogue.films[loaded.catalogue.resolve(movie, "--movie")]
    answer = loaded.rate(user, film.movie_id)
    if as_json:
        served.print_json(
            {
                "user": user,
                "movie_id": film.movie_id,
                "title": film.title,
                "model": str(loaded.path),
                **asdict(answer),
            }
        )
        return

    from rich.text import Text

    console.print(
        Text(f"User {user} would give"),
        Text(film.title, style="bold"),
        Text(f"{answer.rating:.2f} stars", style="bold green"),
    )
    if answer.like is not None:
        console.print(Text(f"Probability of a like: {answer.like:.0%}"))
    if not answer.known_user:
        console.print(
            Text(f"User {user} is unknown to the model: an average user's rating.", "dim")
        )
