"""Files that the steps of ingestion leave for each other, written atomically, local or remote.

A distributed engine repeats the work of a lost worker, and the lost worker may only have been cut
off: then both write the same file, maybe while a third reads it.
"""

from __future__ import annotations

import glob
import os
import shutil
import uuid

from reelflow.data import files


def write_atomically(path: str, data: bytes, work: str) -> None:
    """Write a file that no reader ever sees in part, replacing what is there.

    Args:
        path: the file.
        data: its whole content.
        work: a folder on the same file system for the unfinished file. What a killed worker leaves
            there must be no input of another.

    Raises:
        OSError: a folder is not there, or the file system is full.
    """
    if files.is_remote(path):  # an object appears when it is complete
        files.write(path, data)
        return
    unfinished = f"{work}/unfinished-{uuid.uuid4().hex}"
    files.write(unfinished, data)
    os.replace(unfinished, path)


def read(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: there is no such file.
    """
    with files.open_stored(path) as file:
        return file.read()


def find(pattern: str) -> list[str]:
    """Return the paths that match a glob, sorted."""
    if files.is_remote(pattern):
        import tensorflow as tf

        return sorted(tf.io.gfile.glob(pattern))
    return sorted(glob.glob(pattern))


def make_folder(path: str) -> None:
    """Make a folder and those above it, if they are not there."""
    if files.is_remote(path):
        import tensorflow as tf

        tf.io.gfile.makedirs(path)
        return
    os.makedirs(path, exist_ok=True)


def remove_folder(path: str) -> None:
    """Remove a folder with all that is in it."""
    if files.is_remote(path):
        import tensorflow as tf

        tf.io.gfile.rmtree(path)
        return
    shutil.rmtree(path)
