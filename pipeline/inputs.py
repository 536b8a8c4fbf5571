"""Settles which ratings a run reads, before anything heavy is imported."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from pipeline.config import Config
from pipeline.layout import Layout
from ratings.errors import BadInput
from ratings.files import is_remote
from ratings.formats import open_source

SAMPLE = "sample"
"""Name of the built-in synthetic ratings, as a data set and as a configuration."""

DATA_SETS = Path("data")
"""Where `reelflow data download` puts the public sets, seen from the working directory."""

# Data sets whose bundled configuration has another name; the CSV releases share one.
_CONFIG_OF = {"movielens-100k": "movielens-100k", "movielens-1m": "movielens-1m"}


def data_set(name: str) -> tuple[Path | None, str]:
    """The folder of a downloaded set (none for the sample) and its bundled configuration.

    Raises:
        BadInput: no such set, or it was not downloaded.
    """
    from ratings import download

    if name == SAMPLE:
        return None, SAMPLE
    if name not in download.NAMES:
        names = ", ".join((SAMPLE, *download.NAMES))
        raise BadInput(f"{name}: there is no such data set.", f"Name one of {names}.")
    folder = DATA_SETS / name
    if not folder.is_dir():
        raise BadInput(
            f"{folder}: the data set {name} is not here.", f"Run `reelflow data download {name}`."
        )
    return folder, _CONFIG_OF.get(name, "movielens")


def settle(config: Config, layout: Layout) -> Config:
    """The same configuration with absolute paths; writes the sample if there are no data.

    Raises:
        BadInput: the folder is missing, or its files are none that Reelflow can read.
    """
    if config.data.path is None:
        from ratings.sample import write_sample

        path = str(write_sample(layout.sample))
    else:
        path = absolute(config.data.path)
        if not _is_pattern(path) and not is_remote(path):
            open_source(config.data, path, config.split)
    changes: dict[str, BaseModel] = {"data": config.data.model_copy(update={"path": path})}
    if config.push.directory is not None:
        directory = absolute(config.push.directory)
        changes["push"] = config.push.model_copy(update={"directory": directory})
    return config.model_copy(update=changes)


def absolute(path: str) -> str:
    """A path on this machine made absolute, `~` allowed; a remote one as it is."""
    return path if is_remote(path) else os.path.abspath(os.path.expanduser(path))


def _is_pattern(path: str) -> bool:
    """Whether ExampleGen has to choose a span or version first."""
    return "{SPAN" in path or "{VERSION" in path or "{YYYY" in path
