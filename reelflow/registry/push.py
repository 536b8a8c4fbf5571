"""The serving folder: versioned folders of models, as TensorFlow Serving watches them.

A version appears as a whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from reelflow.base.common import SECONDS_PER_DAY, content_hash
from reelflow.registry.storage import copy_model
from reelflow.saved_model.files import SAVED_MODEL, version_of
from reelflow.saved_model.manifest import find_damage

Readers = Literal["owner", "group", "all"]
_MODES: Final[dict[Readers, tuple[int, int]]] = {
    "owner": (0o600, 0o700),
    "group": (0o640, 0o750),
    "all": (0o644, 0o755),
}
"""Modes of files and of folders."""
_INCOMING = ".incoming-"
_OUTGOING = ".outgoing-"
_ABANDONED_SECONDS = SECONDS_PER_DAY  # no push takes a day: its process was killed


def push(
    model: Path, base: Path, *, keep: int, now: int | None = None, readers: Readers = "owner"
) -> Path:
    """Copy a model to `base/<version>` in one step, then remove the oldest versions.

    The copy is made in a hidden folder beside the versions and renamed when it is complete and on
    disk, so that a server never sees half a version, even if the process is killed. A model that
    the newest version has already, byte for byte, is not pushed again: a push may be repeated.

    Args:
        model: folder of the SavedModel.
        base: the serving folder; made if missing.
        keep: versions to keep, the new one included; at least 1.
        now: seconds since 1970; None for the clock.
        readers: accounts that may read the version: this one, those of the serving folder's group,
            or all.

    Returns:
        The new version's folder, or that of the newest if it is the same model. Versions are whole
        numbers that always grow: the time, or one more than the highest there is.

    Raises:
        FileNotFoundError: `model` holds no `saved_model.pb`.
        OSError: there is no room, or no right to write; nothing was pushed.
        ValueError: `keep` is below 1.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1, not {keep}")
    if not (model / SAVED_MODEL).is_file():
        raise FileNotFoundError(f"{model} holds no {SAVED_MODEL}")
    if not base.is_dir():
        base.mkdir(parents=True)
        let_read([base], base, readers)
    for entry in base.iterdir():  # what killed pushes left behind
        left = entry.name.startswith((_INCOMING, _OUTGOING))
        if left and time.time() - entry.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(entry)
    for newest in versions(base)[-1:]:
        there = base / str(newest)
        if find_damage(there) is None and content_hash(there) == content_hash(model):
            return there
    with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=base) as hidden:
        copy = Path(hidden, "model")
        copy_model(model, copy)
        let_read([copy, *copy.rglob("*")], base, readers)
        _flush([copy, *copy.rglob("*")])
        target = _take_version(copy, base, int(time.time()) if now is None else now)
    _flush([base])
    for version in versions(base)[:-keep]:
        withdraw(base / str(version))
    return target


def versions(base: Path) -> list[int]:
    """The version numbers in a serving folder, ascending."""
    if not base.is_dir():
        return []
    return sorted(v for entry in base.iterdir() if (v := version_of(entry)) is not None)


def withdraw(version: Path) -> None:
    """Remove a version in one step; servers go back to the highest that is left."""
    hidden = Path(tempfile.mkdtemp(prefix=_OUTGOING, dir=version.parent))
    os.rename(version, hidden / "model")
    shutil.rmtree(hidden)


def _take_version(copy: Path, base: Path, now: int) -> Path:
    """Rename the copy to the next free version; another pusher may take the number first."""
    while True:
        target = base / str(max([now, *(version + 1 for version in versions(base))]))
        try:
            os.rename(copy, target)  # atomic; refuses a folder that is there and not empty
        except OSError:
            if not target.exists():
                raise
        else:
            return target


def let_read(paths: Iterable[Path], base: Path, readers: Readers) -> None:
    """Give our files and folders the rights of `readers`, and with "group" the group of `base`.

    Other names of the same files have them as well, but lie in folders for their owner alone.
    """
    group = base.stat().st_gid
    for path in paths:
        of_file, of_folder = _MODES[readers]
        if readers == "group":
            os.chown(path, -1, group)
        path.chmod(of_folder if path.is_dir() else of_file)


def _flush(paths: Iterable[Path]) -> None:
    """Write files and folders to disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
