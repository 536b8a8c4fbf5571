"""`reelflow data`: look at ratings, fetch the public sets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipeline.cli.app import console
from pipeline.cli.config import ConfigFile, Overrides

if TYPE_CHECKING:
    from reelflow.data.inspection import Inspection

data_app = typer.Typer(help="Inspect and download ratings.", no_args_is_help=True)


@data_app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="Folder of ratings files.", metavar="DIR")],
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Show what a folder holds and which rows would be refused, without running anything."""
    from reelflow.config.loading import load
    from reelflow.data.inputs import absolute
    from reelflow.data.inspection import inspect as look

    effective = load(config, overrides or [])
    path = absolute(str(folder))
    with _bar("Reading", _size(path)) as advance:
        found = look(effective, path, progress=advance)
    _show(found)


@data_app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of a public set, as movielens-1m.")],
    to: Annotated[
        Path, typer.Option("--to", help="Folder of all data sets.", metavar="DIR")
    ] = Path("data"),
) -> None:
    """Download a public set of ratings; `reelflow run --dataset NAME` then uses it."""
    from reelflow.data.download import download as fetch
    from reelflow.data.download import licence_notice

    console.print(Text(licence_notice(name), style="dim"))
    done = 0
    with _bar(f"Downloading {name}", None) as advance:

        def tell(so_far: int, total: int | None) -> None:
            nonlocal done
            advance(so_far - done, total)
            done = so_far

        folder = fetch(name, to, progress=tell)
    console.print(Text(f"{name} is in {folder}", style="bold"), soft_wrap=True)
    if to == Path("data"):
        console.print(f"Next: reelflow run --dataset {name}", soft_wrap=True)
    else:
        console.print(f"Next: reelflow run --data {folder}", soft_wrap=True)


@contextlib.contextmanager
def _bar(label: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar in bytes on a terminal, nothing elsewhere.

    Yields:
        What is to be called with the bytes since the last call and, once it is known, the total.
    """
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    bar = progress.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with bar:
        task = bar.add_task(label, total=total)

        def advance(count: int, known_total: int | None = None) -> None:
            if known_total is not None:
                bar.update(task, total=known_total)
            bar.advance(task, count)

        yield advance


def _size(folder: str) -> int | None:
    """Bytes of all files of a folder, as a guess at the work; none if it is not on this machine."""
    path = Path(folder)
    if not path.is_dir():
        return None
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())


def _show(found: Inspection) -> None:
    source = found.source
    names = [file.name for file in source.ratings_files]
    lines = {
        "Format": source.format.value + (" (synthetic)" if source.synthetic else ""),
        "Ratings": ", ".join(names),
        "Movies": Path(source.movies_file).name if source.movies_file else "no file",
        "Users": Path(source.users_file).name if source.users_file else "no file, or not opted in",
        "Rows": f"{found.read:,} read, {found.kept:,} valid, from {found.users:,} users",
        "Titles": _titles(found),
        "Range": f"{source.rating_min:g} to {source.rating_max:g} stars",
        "Time": "timestamps" if source.has_timestamps else "no timestamps",
    }
    for label, value in lines.items():
        console.print(Text.assemble((f"{label:<12}", "bold"), value), soft_wrap=True)
    refused = sum(found.quarantined.values())
    if not refused:
        console.print(Text.assemble((f"{'Quarantine':<12}", "bold"), "no row"))
        return
    share = f"{refused:,} rows ({refused / found.read:.2%})"
    console.print(Text.assemble((f"{'Quarantine':<12}", "bold"), share))
    for reason, count in found.quarantined.items():
        console.print(Text.assemble((f"  {reason}  ", "yellow"), f"{count:,}"))
        for row in found.preview:
            if row.reason == reason:
                shown = row.row.decode("utf-8", errors="backslashreplace")
                line = Text(f"    {row.file}:{row.line}  {shown}", style="dim")
                console.print(line, soft_wrap=True)


def _titles(found: Inspection) -> str:
    if found.movies is None:
        return f"{found.rated:,} movies rated; without a movies' file titles are not known"
    return f"{found.movies:,} movies, {found.rated:,} of them rated"
