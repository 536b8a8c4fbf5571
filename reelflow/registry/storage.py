"""Copies of a model that take no further room: hard links, where the file system has them.

A run has its model in several places: the Trainer's and the Pusher's artifacts, the serving folder,
the registry. No program changes a model's files in place, so that all of them may be one.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit


def copy_model(source: Path, target: Path) -> None:
    """Copy a folder by hard links, or by content where they cannot be made.

    Args:
        source: the model's folder.
        target: need not exist; files in it are replaced.

    Raises:
        OSError: it cannot be written.
    """
    shutil.copytree(source, target, copy_function=_link_or_copy, dirs_exist_ok=True)


def share_files(source: Path, copy: Path) -> None:
    """Replace the files of a copy by hard links to those of the same name and content."""
    for path in source.rglob("*"):
        twin = copy / path.relative_to(source)
        if not (path.is_file() and twin.is_file()) or path.samefile(twin):
            continue
        if filecmp.cmp(path, twin, shallow=False):
            beside = twin.with_name(f".{twin.name}.link")
            try:
                os.link(path, beside)
            except OSError:  # another file system, or one without links
                return
            os.replace(beside, twin)


def fetch(uri: str, folder: Path, registry: str) -> None:
    """Bring an artifact of MLflow's into a folder that is there, without a copy if it is local.

    Args:
        uri: of the artifact's folder.
        folder: gets the artifact's folder, under its name.
        registry: URI of the registry that knows it.
    """
    here = local_path(uri)
    if here is not None and here.is_dir():
        copy_model(here, folder / here.name)
        return
    import mlflow

    mlflow.artifacts.download_artifacts(
        artifact_uri=uri, dst_path=str(folder), tracking_uri=registry, registry_uri=registry
    )


def local_path(uri: str) -> Path | None:
    """Return the path of a `file:` URI or plain path; None of any other URI."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def _link_or_copy(source: str, target: str) -> str:
    if os.path.lexists(target):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
    return target
