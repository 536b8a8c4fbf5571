"""Settles which ratings a run reads, before anything heavy is imported."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.config import Config
from pipeline.layout import Layout
from ratings.errors import BadInput

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
        BadInput: the data folder is missing, or is no folder.
    """
    if config.data.path is None:
        from ratings.sample import write_sample

        path = str(write_sample(layout.sample))
    else:
        path = _checked(config.data.path)
    changes = {"data": config.data.model_copy(update={"path": path})}
    if config.push.directory is not None:
        directory = os.path.abspath(os.path.expanduser(config.push.directory))
        changes["push"] = config.push.model_copy(update={"directory": directory})
    return config.model_copy(update=changes)


def _checked(path: str) -> str:
    """The absolute path; of a pattern such as `{SPAN}`, the part before it must be a folder."""
    absolute = os.path.abspath(os.path.expanduser(path))
    fixed = Path(absolute.partition("{")[0])
    folder = fixed if "{" not in absolute or fixed.is_dir() else fixed.parent
    if not folder.exists():
        raise BadInput(
            f"{folder}: there is no such folder.",
            "Give the folder of the ratings files with --data, or none for the built-in sample.",
        )
    if not folder.is_dir():
        raise BadInput(f"{folder}: this is a file.", f"Give the folder it lies in: {folder.parent}")
    return absolute
