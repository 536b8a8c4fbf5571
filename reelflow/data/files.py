"""Files of a data folder, on this machine or wherever Beam's file systems reach."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Final

from reelflow.base.errors import BadInput

if TYPE_CHECKING:
    from apache_beam.io.filesystem import FileMetadata


MEMBER: Final = "!"
"""Between the path of an archive and the name of a file in it."""

_MEMBER_PATH: Final = re.compile(r"(.*\.zip)!(.+)", re.IGNORECASE | re.DOTALL)


def split_path(path: str) -> tuple[str, str]:
    """Return the path of the file as stored, and the member of it; empty if it is no archive's."""
    match = _MEMBER_PATH.fullmatch(path)
    return (match[1], match[2]) if match else (path, "")


def is_remote(path: str) -> bool:
    """Return True if the path has a scheme, as `gs://bucket/folder`."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """Return the path of `name` in `folder`, local or remote."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else os.path.join(folder, name)


def list_folder(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the visible files and of the sub-folders, each sorted.

    Raises:
        BadInput: there is no such folder, it is a file, or it cannot be read.
    """
    remedy = "Name the folder that holds the ratings files in [data] path, or with --data."
    if is_remote(folder):
        names = _remote_names(folder)
        if not names:
            raise BadInput(f"The data folder {folder} does not exist or is empty.", remedy)
        return names, []
    if os.path.isfile(folder):
        raise BadInput(f"{folder} is a file, not a folder.", remedy)
    if not os.path.isdir(folder):
        raise BadInput(f"The data folder {folder} does not exist.", remedy)
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError as error:
        raise BadInput(f"The data folder {folder} cannot be read: {error.strerror}.") from error
    files = sorted(entry.name for entry in entries if entry.is_file())
    return files, sorted(entry.name for entry in entries if entry.is_dir())


def exists(folder: str) -> bool:
    """Return True if there is such a local folder, or a remote one with files."""
    return bool(_remote_names(folder)) if is_remote(folder) else os.path.isdir(folder)


def _remote_files(pattern: str) -> list[FileMetadata]:
    from apache_beam.io.filesystems import FileSystems

    matches: list[FileMetadata] = FileSystems.match([pattern])[0].metadata_list
    return matches


def _remote_names(folder: str) -> list[str]:
    names = (data.path.rsplit("/", 1)[1] for data in _remote_files(join(folder, "*")))
    return sorted(name for name in names if name and not name.startswith("."))


def folders_like(glob_pattern: str) -> dict[str, set[str]]:
    """Return the folders that match a pattern, local or remote, with the names of their files."""
    if is_remote(glob_pattern):
        paths = [data.path for data in _remote_files(join(glob_pattern, "*"))]
    else:
        everything = glob.escape(glob_pattern).replace("[*]", "*")
        paths = [p for p in glob.glob(os.path.join(everything, "*")) if os.path.isfile(p)]
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    return folders


def fingerprint(paths: Iterable[str]) -> str:
    """Hash names, sizes and times of change, so that any changed file gives another hash.

    Raises:
        BadInput: a file has gone.
    """
    lines = []
    for path in sorted({split_path(path)[0] for path in paths}):
        try:
            if is_remote(path):
                data = _remote_files(path)[0]
                lines.append(f"{path} {data.size_in_bytes} {data.last_updated_in_seconds}")
            else:
                status = os.stat(path)
                lines.append(f"{path} {status.st_size} {status.st_mtime_ns}")
        except OSError as error:
            remedy = "Restore the file, or take it out of the data folder."
            problem = error.strerror or error
            raise BadInput(f"{path} cannot be read: {problem}.", remedy) from error
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def size_of(path: str) -> int:
    """Return the size of a file in bytes, as stored; of a member that of its archive."""
    path = split_path(path)[0]
    if is_remote(path):
        return int(_remote_files(path)[0].size_in_bytes)
    return os.path.getsize(path)


def open_stored(path: str) -> IO[bytes]:
    """Open a file for reading its bytes as stored, seekable."""
    if is_remote(path):
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        stored: IO[bytes] = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        return stored
    return open(path, "rb")


def write_stream(path: str, fill: Callable[[IO[bytes]], None]) -> None:
    """Write a file, local or remote, by a function that gets it open; its folder exists.

    Raises:
        OSError: the folder is not there, or the file system is full.
    """
    if not is_remote(path):
        with open(path, "wb") as local:
            fill(local)
        return
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "wb") as file:
        fill(file)


def write(path: str, data: bytes) -> None:
    """Write a file as `write_stream` does, by its content."""

    def fill(file: IO[bytes]) -> None:
        file.write(data)

    write_stream(path, fill)


def check_unchanged(folder: str, paths: Iterable[str], before: str) -> None:
    """Compare the `fingerprint` of files with an earlier one.

    Raises:
        BadInput: they changed; the message names `folder`.
    """
    if fingerprint(paths) != before:
        raise BadInput(
            f"Files of {folder} or of a span before it changed while they were read.",
            "Run again when they have arrived; see data.span_marker to be sure of that.",
        )
