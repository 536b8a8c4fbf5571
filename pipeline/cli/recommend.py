"""`reelflow recommend`, `rate` and `similar`: requests to a pushed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from pipeline.cli import batch
from pipeline.cli.options import DEFAULT_OUTPUT, AsJson, ConfigFile, Output, Overrides
from pipeline.cli.output import console, new_table, print_json
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.saved_model.files import SAVED_MODEL

if TYPE_CHECKING:
    from rich.table import Table

    from reelflow.saved_model.catalogue import Catalogue
    from reelflow.saved_model.client import Item, ServedModel, SimilarItem
    from reelflow.saved_model.files import StarScale


Model = Annotated[
    Path | None,
    typer.Option(
        help="Folder of one model, or of several versions, instead of the one in --output.",
        metavar="DIR",
    ),
]
_SOURCES = {
    "user": "from what the model knows of the user",
    "history": "new to the model: from the user's ratings, or the {items} of --liked and "
    "--disliked",
    "popularity": "unknown to the model: the most popular {items}",
}


def recommend(
    user: Annotated[str | None, typer.Option(help="The user's id.", metavar="ID")] = None,
    k: Annotated[int, typer.Option(min=1, help="How many movies.")] = 10,
    liked: Annotated[
        list[str] | None,
        typer.Option(help="A movie the user likes; may be repeated.", metavar="ID"),
    ] = None,
    disliked: Annotated[
        list[str] | None,
        typer.Option(help="A movie the user does not like; may be repeated.", metavar="ID"),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A movie to leave out; may be repeated.", metavar="ID")
    ] = None,
    order: Annotated[
        Literal["blend", "retrieval", "stars"],
        typer.Option(help="What the user would turn to and like, turn to, or like."),
    ] = "blend",
    min_rating: Annotated[
        float | None, typer.Option(help="Least predicted rating, on the data's own scale.")
    ] = None,
    all_users: batch.All = False,
    users: Annotated[
        Path | None,
        typer.Option(help="Instead of --all: a file with a user's id a line.", metavar="FILE"),
    ] = None,
    to: batch.To = None,
    genres: batch.Genres = None,
    year_from: batch.YearFrom = None,
    year_to: batch.YearTo = None,
    explain: Annotated[
        bool, typer.Option(help="With --all: ids of movies that speak for each, which takes time.")
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(help="With --all: TOML or JSON file of rules about lists.", metavar="FILE"),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Recommend movies that a user has not rated, or with --all to all users, into a file.

    A user whom the model does not know gets movies for those given with --liked and --disliked, or
    popular ones.

    With --config or --set of the section beam the lists are made on its engine, in parts: --to is
    then a folder.
    """
    if all_users or users is not None:
        batch.recommend_to_all(
            model or newest(output),
            batch.Target.of(to, config, overrides),
            users,
            rules,
            k=k,
            exclusions=exclude or [],
            order=order,
            min_rating=min_rating,
            genres=genres or [],
            year_from=year_from,
            year_to=year_to,
            explain=explain,
        )
        return
    if user is None:
        raise BadInput("No user is named.", "Give --user ID, or --all with --to FILE.")
    loaded = _load(model, output)

    def ids(movies: list[str] | None, option: str) -> list[str]:
        return [loaded.catalogue.find(movie, option).movie_id for movie in movies or ()]

    answer = loaded.recommend(
        user,
        k=k,
        liked=ids(liked, "--liked"),
        disliked=ids(disliked, "--disliked"),
        exclusions=ids(exclude, "--exclude"),
        order=order,
        min_rating=min_rating,
    )
    if as_json:
        print_json(
            {
                "user": user,
                "model": str(loaded.path),
                "order": order,
                "min_rating": min_rating,
                "stars": _scale(loaded.stars),
                **asdict(answer),
            }
        )
        return

    noun = loaded.info.noun
    console.print(Text(f"{noun.labels} for user {user}", style="bold"))
    source = _SOURCES[answer.source].format(items=noun.many)
    console.print(Text(source, style="dim"), soft_wrap=True)
    columns = {"score": [f"{item.score:.3f}" for item in answer.items]}
    if scale := loaded.stars:
        heading = f"rating ({scale.lowest:g} to {scale.highest:g})"
        columns[heading] = [f"{item.rating:.2f}" for item in answer.items]
    console.print(_movies_table(answer.items, loaded.catalogue, **columns))
    if len(answer.items) < k:
        console.print(
            Text(f"No more than {noun.counted(len(answer.items))} are left.", style="dim")
        )


def rate(
    user: Annotated[str, typer.Option(help="The user's id.", metavar="ID")],
    movie: Annotated[str, typer.Option(help="The movie's id.", metavar="ID")],
    output: Output = DEFAULT_OUTPUT,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Predict the rating that a user would give a movie, on the data's own scale."""
    loaded = _load(model, output)
    match = loaded.catalogue.find(movie, "--movie")
    scale = loaded.stars
    if scale is None:
        raise BadInput("This model was trained without ratings: it predicts none.")
    answer = loaded.rate(user, match.movie_id)
    if as_json:
        content = {"user": user, "movie_id": match.movie_id, "title": match.title}
        print_json({**content, "model": str(loaded.path), "stars": _scale(scale), **asdict(answer)})
        return

    console.print(
        Text(f"User {user} would give"),
        Text(match.title, style="bold"),
        Text(f"{answer.rating:.2f}", style="bold green"),
        Text(f"on the scale of {scale.lowest:g} to {scale.highest:g}"),
    )
    if answer.like is not None:
        console.print(Text(f"Probability of a like: {answer.like:.0%}"))
    if not answer.known_user:
        text = f"User {user} is unknown to the model: an average user's rating."
        console.print(Text(text, "dim"))


def similar(
    movie: Annotated[str | None, typer.Option(help="The movie's id.", metavar="ID")] = None,
    k: Annotated[int, typer.Option(min=1, help="How many movies.")] = 10,
    everything: batch.All = False,
    to: batch.To = None,
    genres: batch.Genres = None,
    year_from: batch.YearFrom = None,
    year_to: batch.YearTo = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    output: Output = DEFAULT_OUTPUT,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Show the movies that are most like a movie, or with --all those of all movies, into a file.

    On Beam as `recommend --all`.
    """
    if everything:
        batch.similar_to_all(
            model or newest(output),
            batch.Target.of(to, config, overrides),
            k=k,
            genres=genres or [],
            year_from=year_from,
            year_to=year_to,
        )
        return
    if movie is None:
        raise BadInput("No movie is named.", "Give --movie ID, or --all with --to FILE.")
    loaded = _load(model, output)
    match = loaded.catalogue.find(movie, "--movie")
    items = loaded.similar(match.movie_id, k)
    if as_json:
        content = {"movie_id": match.movie_id, "title": match.title, "model": str(loaded.path)}
        print_json({**content, "items": [asdict(item) for item in items]})
        return

    console.print(Text(f"{loaded.info.noun.labels} like"), Text(match.title, style="bold"))
    cosines = [f"{item.score:.3f}" for item in items]
    console.print(_movies_table(items, loaded.catalogue, cosine=cosines))


def newest(output: Path) -> Path:
    """Return the folder of the newest model pushed.

    Raises:
        BadInput: there is none.
    """
    from reelflow.saved_model.manifest import latest_version

    return latest_version(Layout.of(output).serving)


def _load(model: Path | None, output: Path) -> ServedModel:
    """Load the named model, or else the newest one pushed in the output folder.

    Raises:
        BadInput: there is none.
    """
    from reelflow.saved_model.client import ServedModel
    from reelflow.saved_model.manifest import latest_version

    folder = model or newest(output)
    return ServedModel.load(folder if (folder / SAVED_MODEL).is_file() else latest_version(folder))


def _scale(stars: StarScale | None) -> dict[str, float] | None:
    """Return the scale of a model's ratings for JSON; None if it has none."""
    return stars.model_dump() if stars else None


def _movies_table(
    items: Sequence[Item | SimilarItem], catalogue: Catalogue, **columns: Sequence[str]
) -> Table:
    """Return movies, the best first, with place, title, genres, columns of figures, and id.

    Args:
        items: the movies.
        catalogue: has their genres.
        columns: figures of the movies, by the column's heading.
    """
    table = new_table()
    table.add_column("", justify="right", style="dim")
    table.add_column(catalogue.noun.one, style="bold", overflow="fold")
    table.add_column("genres", style="dim", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("movie_id", justify="right", style="cyan", no_wrap=True)
    for row, item in enumerate(items):
        genres = ", ".join(catalogue.movies[item.movie_id].genres)
        numbers = (column[row] for column in columns.values())
        table.add_row(*map(Text, (str(row + 1), item.title, genres, *numbers, item.movie_id)))
    return table
