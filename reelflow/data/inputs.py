"""The ratings that a run reads, resolved before anything heavy is imported."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.config.loading import load
from reelflow.data.event_log import EventLog, has_events
from reelflow.data.files import is_remote
from reelflow.data.formats.source import Source, open_source, open_window
from reelflow.data.sets import NAMES, NETFLIX, PUBLIC_SETS, SAMPLE, unknown_set
from reelflow.data.spans import Window, find_window, guess_pattern, is_pattern

DATA_SETS = Path("data")
"""Folder of the downloaded public sets, seen from the working directory."""


def effective_config(
    layout: Layout,
    source: str | None = None,
    data: str | Path | None = None,
    dataset: str | None = None,
    overrides: Sequence[str] = (),
    preset: str | None = None,
) -> Config:
    """Return the configuration of a run, checked and with absolute paths.

    Args:
        layout: the output folder.
        source: TOML file or bundled name; by default the data set's, or the sample's if there is
            neither a data set nor a folder.
        data: the data folder; has precedence over the configuration.
        dataset: a downloaded set instead.
        overrides: `section.key=value`.
        preset: a known model design, below all of these.

    Raises:
        BadInput: an option or a file is wrong or missing.
    """
    if data is not None and dataset is not None:
        raise BadInput("--data and --dataset exclude each other.", "Give one of them.")
    if dataset is not None:
        data, own = _data_set(dataset)
        source = source or own
    if data is not None:
        overrides = [*overrides, f"data.path={json.dumps(str(data))}"]
    elif source is None and not any(text.startswith("data.path=") for text in overrides):
        source = SAMPLE
    return resolve_paths(load(source, overrides, preset), layout)


def _data_set(name: str) -> tuple[Path | None, str]:
    """Return the folder of a downloaded set (None: the sample) and its bundled configuration.

    Raises:
        BadInput: no such set, or it was not downloaded.
    """
    if name == SAMPLE:
        return None, SAMPLE
    if name not in NAMES:
        raise unknown_set(name)
    folder = DATA_SETS / name
    if not folder.is_dir():
        remedy = f"Run `reelflow data download {name}`."
        if name == NETFLIX:
            remedy = "It is not published any more; if you have it, put its files there."
        raise BadInput(f"{folder}: the data set {name} is not here.", remedy)
    return folder, PUBLIC_SETS[name].config if name in PUBLIC_SETS else name


def resolve_paths(config: Config, layout: Layout) -> Config:
    """Make the configuration's paths absolute; write the sample if there is no data path.

    Raises:
        BadInput: the folder is missing, or its files are none that Reelflow can read.
    """
    changes: dict[str, BaseModel] = {}
    if config.data.path is None:
        from reelflow.data.sample import write_sample

        path = str(write_sample(layout.sample))
    else:
        path = absolute(config.data.path)
        above = path.partition("{")[0].rpartition("/")[0] if is_pattern(path) else path
        if (config.data.span is not None or is_pattern(path)) and has_events(above):
            # Events that a server has taken so far belong to what this run reads.
            EventLog(Path(above)).publish()
            if "rows_min" not in config.data_gate.model_fields_set:
                # Such spans are as long as there was time.
                changes["data_gate"] = config.data_gate.model_copy(update={"rows_min": 0.0})
        if config.data.span is not None and not is_pattern(path):
            path = guess_pattern(path)
        # A remote folder is looked at by ExampleGen, where its credentials are.
        if not is_remote(path):
            open_data(config, path)
    changes["data"] = config.data.model_copy(update={"path": path})
    if config.push.directory is not None:
        directory = absolute(config.push.directory)
        changes["push"] = config.push.model_copy(update={"directory": directory})
    return config.model_copy(update=changes)


def absolute(path: str) -> str:
    """Make a path on this machine absolute, `~` allowed; leave a remote one as it is."""
    return path if is_remote(path) else os.path.abspath(os.path.expanduser(path))


def open_data(config: Config, path: str) -> Source:
    """Open the files that a run would read now; of a path with placeholders those of its spans.

    The path counts, and not the one in `config`.

    Raises:
        BadInput: they are not there, or are none that Reelflow can read.
    """
    if is_pattern(path):
        return open_window(config.data, window_of(config, path), config.split)
    return open_source(config.data, path, config.split)


def window_of(config: Config, path: str) -> Window:
    """Return the spans that a run would read now.

    Raises:
        BadInput: there is no such span.
    """
    data = config.data
    return find_window(path, data.span, data.spans, data.span_marker)
