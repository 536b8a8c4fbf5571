"""Files that appear as a whole, so that work done twice leaves what work done once does.

A distributed engine repeats what a lost worker was doing, and the lost worker may only have been
cut off: then both write the same file, maybe while a third reads it.
"""

from __future__ import annotations

import uuid

from tfx.dsl.io import fileio

from ratings import files


def write_whole(path: str, data: bytes, work: str) -> None:
    """Write a file that nobody ever sees in part, replacing what is there.

    Args:
        path: what to write.
        data: all of it.
        work: a folder on the same file system for what is unfinished. What a killed worker leaves
            there must be nobody's input.

    Raises:
        OSError: a folder is not there, or the file system is full.
    """
    if files.is_remote(path):  # an object appears when it is complete
        _write(path, data)
        return
    unfinished = f"{work}/unfinished-{uuid.uuid4().hex}"
    _write(unfinished, data)
    fileio.rename(unfinished, path, overwrite=True)


def _write(path: str, data: bytes) -> None:
    with fileio.open(path, "wb") as file:
        file.write(data)
