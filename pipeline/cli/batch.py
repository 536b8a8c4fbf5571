"""`reelflow recommend --all` and `similar --all`: lists for everything, into a file or on Beam."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from pipeline.cli.output import console, labelled
from reelflow.base.errors import BadInput
from reelflow.saved_model.files import SAVED_MODEL

if TYPE_CHECKING:
    from reelflow.config import BeamConfig
    from reelflow.serving.batch import Job

All = Annotated[bool, typer.Option("--all", help="All of them, into the file of --to.")]
To = Annotated[
    Path | None,
    typer.Option(
        help="File of --all, in the form that it ends with: .parquet, .csv or .jsonl.",
        metavar="FILE",
    ),
]
Genres = Annotated[
    list[str] | None,
    typer.Option("--genre", help="With --all: one of these genres; may be repeated.", metavar="G"),
]
YearFrom = Annotated[int | None, typer.Option(help="With --all: oldest release year.")]
YearTo = Annotated[int | None, typer.Option(help="With --all: newest release year.")]


@dataclass(frozen=True)
class Target:
    """Place and engine of lists."""

    path: Path
    beam: BeamConfig | None
    """None: this process."""

    @classmethod
    def of(cls, to: Path | None, config: str | None, overrides: Sequence[str] | None) -> Target:
        """Return what the options say.

        Raises:
            BadInput: there is no file, or the configuration is wrong.
        """
        from reelflow.config.loading import load

        if to is None:
            raise BadInput("--all needs a file.", "Name it with --to recs.parquet.")
        if config is None and not overrides:
            return cls(to.absolute(), None)
        return cls(to.absolute(), load(config, overrides or ()).beam)


def recommend_to_all(
    model: Path, target: Target, users: Path | None, rules: Path | None, **conditions: Any
) -> None:
    """Write the lists of all users, or of those in a file.

    Args:
        model: folder of one model or of several versions.
        target: place and engine.
        users: file with a user's id a line; None: all that the model knows.
        rules: file of rules; None: none.
        conditions: fields of `messages.RecommendRequest`.
    """
    from reelflow.serving.batch import Job
    from reelflow.serving.messages import RecommendRequest
    from reelflow.serving.rules.file import read

    request = RecommendRequest.model_construct(
        **conditions, rules=None if rules is None else read(rules)
    )
    _make(Job(_folder(model), request, None if users is None else str(users.absolute())), target)


def similar_to_all(model: Path, target: Target, **conditions: Any) -> None:
    """Write the movies most like each movie.

    Args:
        model: folder of one model or of several versions.
        target: place and engine.
        conditions: fields of `messages.SimilarRequest`.
    """
    from reelflow.serving.batch import Job
    from reelflow.serving.messages import SimilarRequest

    _make(Job(_folder(model), SimilarRequest.model_construct(**conditions)), target)


def _folder(model: Path) -> str:
    from reelflow.saved_model.manifest import latest_version

    folder = model if (model / SAVED_MODEL).is_file() else latest_version(model)
    return str(folder.absolute())


def _make(job: Job, target: Target) -> None:
    """Make the lists here or on Beam, and say how long it took."""
    from reelflow.serving.batch import write

    began = time.monotonic()
    if target.beam is not None:
        from pipeline.batch_beam import write_on_beam
        from pipeline.beam_args import beam_args

        ending = target.path.suffix
        parts = write_on_beam(job, target.path, ending, beam_args(target.beam))
        what = f"{parts:,} parts"
    else:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("Lists")
            rows = write(
                job,
                target.path,
                lambda done, whole: progress.update(task, completed=done, total=whole),
            )
        what = f"{rows:,} rows"
    seconds = time.monotonic() - began
    rate = len(job.ids) / max(seconds, 1e-9)
    console.print(labelled("Lists", f"{len(job.ids):,}, {rate:,.0f} a second"))
    console.print(labelled("Written", f"{what} to {target.path}"), soft_wrap=True)
