"""`reelflow data` and `reelflow config`: ratings to inspect or download, the configuration."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pipeline.cli.options import AsJson, ConfigFile, Overrides, Preset
from pipeline.cli.output import console, is_watched, print_json
from reelflow.base.errors import BadInput

data_app = typer.Typer(help="Inspect and download ratings.", no_args_is_help=True)
config_app = typer.Typer(help="Show the configuration.", no_args_is_help=True)

_FOLDER = Path("data")
"""Of downloaded sets, in which `--dataset` finds them."""


@data_app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="Folder of ratings files.", metavar="DIR")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would understand, find, and do with a folder, without running anything.

    The exit code is 2 where a run would refuse the data.
    """
    from pipeline.cli import inspection as page
    from reelflow.config.loading import load
    from reelflow.data.inputs import absolute
    from reelflow.data.inspection import inspect as inspect_folder
    from reelflow.evaluation.outlook import outlook

    effective = load(config, overrides or [])
    path = absolute(str(folder))
    total = None  # of a folder that is not on this machine
    if (local := Path(path)).is_dir():
        total = sum(file.stat().st_size for file in local.iterdir() if file.is_file())
    try:
        with _bar("Reading", total) as advance:
            inspection = inspect_folder(effective, path, progress=advance)
    except BadInput as error:
        if as_json:
            print_json(page.refusal_as_json(path, error))
        raise
    planned = outlook(effective, inspection.summary)
    words = ["reelflow", "run", "--data", str(folder)]
    words += [] if config is None else ["--config", str(config)]
    words += [word for override in overrides or [] for word in ("--set", override)]
    command = None if inspection.refused else shlex.join(words)
    if as_json:
        print_json({**page.as_json(inspection, planned), "command": command})
    else:
        page.show(inspection, planned, effective.data.noun, command)
    inspection.raise_for_refusal()


@data_app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of ratings files.", metavar="DIR")],
    to: Annotated[
        Path, typer.Option(help="The page to write.", metavar="FILE", dir_okay=False)
    ] = Path("data-report.html"),
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Draw what is in a folder of ratings, as one page, without running anything.

    Ratings by value, weekday, year, genre and decade, the best, worst and most divisive movies, how
    active users are; by users' attributes only with --set data.use_users=true.
    """
    from reelflow.config.loading import load
    from reelflow.data.exploration import explore_folder
    from reelflow.data.inputs import absolute
    from reelflow.report import render
    from reelflow.report.page import data_page

    effective = load(config, overrides or [])
    with _bar("Reading", None) as advance:
        found, summary, titles = explore_folder(effective, absolute(str(folder)), advance)
    html = render.page(data_page(found, summary, titles, effective.data.noun))
    try:
        to.write_text(html, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{to} cannot be written: {error.strerror}.", "Name another --to."
        ) from error
    console.print(Text.assemble(("Page", "bold"), f"  {to}"), soft_wrap=True)


@data_app.command()
def download(
    name: Annotated[
        str | None, typer.Argument(help="Name of a public set, as movielens-1m.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder of all data sets.", metavar="DIR")] = _FOLDER,
    list_: Annotated[bool, typer.Option("--list", help="List the public sets.")] = False,
) -> None:
    """Download a public set of ratings; `reelflow run --dataset NAME` then uses it."""
    from reelflow.data.download import download as download_set
    from reelflow.data.sets import licence_notice

    if list_:
        _list_sets()
        return
    if name is None:
        raise BadInput("download needs the name of a set.", "See reelflow data download --list")
    console.print(Text(licence_notice(name), style="dim"))
    done = 0
    with _bar(f"Downloading {name}", None) as advance:

        def show_progress(so_far: int, total: int | None) -> None:
            nonlocal done
            advance(so_far - done, total)
            done = so_far

        folder = download_set(name, to, progress=show_progress)
    console.print(Text(f"{name} is in {folder}", style="bold"), soft_wrap=True)
    option = f"--dataset {name}" if to == _FOLDER else f"--data {folder}"
    console.print(f"Next: reelflow run {option}", soft_wrap=True)


def _list_sets() -> None:
    from rich import box
    from rich.table import Table

    from reelflow.data.sets import PUBLIC_SETS

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Name", no_wrap=True)
    table.add_column("Ratings", justify="right", no_wrap=True)
    table.add_column("Size", justify="right", no_wrap=True)
    table.add_column("Checked by", no_wrap=True)
    for public in PUBLIC_SETS.values():
        table.add_row(public.name, public.ratings, public.size, public.checked_by)
    console.print(table)
    console.print(
        "MD5 and SHA-1 are published by the owners. Where none is, the archive's own CRC or the "
        "length is what there is to check. The conditions of use are shown before a download."
    )


@config_app.callback()
def _group() -> None:
    """Keep `show` a sub-command while it is the only one."""


@config_app.command()
def show(config: ConfigFile = None, preset: Preset = None, overrides: Overrides = None) -> None:
    """Print the effective configuration as TOML, every key explained."""
    from reelflow.config.loading import load, to_toml

    text = to_toml(load(config, overrides or [], preset))
    if is_watched(console):
        from rich.syntax import Syntax

        console.print(Syntax(text, "toml", background_color="default", theme="ansi_dark"))
    else:
        typer.echo(text, nl=False)


@contextlib.contextmanager
def _bar(label: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar in bytes on a terminal, nothing elsewhere.

    Yields:
        A function of the bytes since its last call and, once it is known, the total.
    """
    from rich import progress

    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not is_watched(console),
    ) as bar:
        task = bar.add_task(label, total=total)

        def advance(count: int, known_total: int | None = None) -> None:
            if known_total is not None:
                bar.update(task, total=known_total)
            bar.advance(task, count)

        yield advance
