"""Containers of files: plain, gzip, bzip2, xz, and zip archives with their members.

A member of an archive has a path of its own, `archive.zip!folder/ratings.csv`. Nothing is unpacked
to a disk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Final

from reelflow.base.errors import BadInput
from reelflow.data import files
from reelflow.data.files import MEMBER, split_path

ZIP: Final = "zip"
SUFFIXES: Final = (".gz", ".bz2", ".xz")
"""Of the names of compressed files; what counts is their first bytes."""

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_UNREADABLE: Final = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PK\x05\x06": "an empty zip archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
}
_HEAD: Final = 512
_TAR: Final = (257, b"ustar")


def is_archive(name: str) -> bool:
    """Return True if a file's name is that of a zip archive."""
    return name.lower().endswith(".zip")


def base_name(name: str) -> str:
    """Return a name in a folder without archive and folders in it: `x.zip!ml/ratings.csv` ends."""
    return name.rpartition(MEMBER)[2].rpartition("/")[2]


def members(path: str) -> list[str]:
    """Return the paths of the files in a zip archive that are not hidden, sorted.

    Raises:
        BadInput: the archive is damaged.
    """
    with reading(path), files.open_stored(path) as stored, zipfile.ZipFile(stored) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    visible = (
        name
        for name in names
        if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    )
    return sorted(f"{path}{MEMBER}{name}" for name in visible)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn the ways in which reading a file can fail into BadInput.

    Raises:
        BadInput: the file cannot be read, or its compressed stream is damaged.
    """
    remedy = "Restore the file, or take it out of the data folder."
    try:
        yield
    except (zipfile.BadZipFile, struct.error) as error:
        raise BadInput(f"{path}: the zip archive is damaged: {error}.", remedy) from error
    except (NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        # Of zipfile: a version or method, a password, a name that cannot be decoded.
        stored, member = split_path(path)
        if not (member or is_archive(stored)) or isinstance(error, RecursionError):
            raise
        raise BadInput(f"{path} cannot be unpacked: {error}.", "Unpack it first.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise BadInput(f"{path}: the compressed stream is damaged: {error}.", remedy) from error
    except OSError as error:
        problem = error.strerror or error
        raise BadInput(f"{path} cannot be read: {problem}.", remedy) from error


def compression_of(path: str) -> str:
    """Return how a file is compressed, by its first bytes: empty, `gzip`, `zip`, `zip, gzip` etc.

    Raises:
        BadInput: it is of a kind that Reelflow does not read, or cannot be read.
    """
    with reading(path), ExitStack() as stack:
        _, compressions = _open(path, stack)
    return ", ".join(compressions)


@contextmanager
def open_content(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading its content, decompressed; a plain one is seekable.

    Raises:
        BadInput: the file cannot be read, or its stream is damaged; also while reading.
    """
    with reading(path), ExitStack() as stack:
        yield _open(path, stack)[0]


def _open(path: str, stack: ExitStack) -> tuple[IO[bytes], list[str]]:
    stored_path, member = split_path(path)
    content = stack.enter_context(files.open_stored(stored_path))
    compressions = []
    if member:
        archive = stack.enter_context(zipfile.ZipFile(content))
        try:
            opened = stack.enter_context(archive.open(member))
        except KeyError:
            raise BadInput(f"{path}: there is no such file in the archive.") from None
        content = io.BufferedReader(opened)  # type: ignore[type-var]
        compressions.append(ZIP)
    head = _head(content)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            content = stack.enter_context(_decompressed(content, kind))
            compressions.append(kind)
            head = _head(content)
            break
    for magic, words in _UNREADABLE.items():
        if head.startswith(magic):
            raise BadInput(f"{path} is {words}.", "Unpack or export it first, as CSV or Parquet.")
    at, ustar = _TAR
    if head[at : at + len(ustar)] == ustar:
        raise BadInput(f"{path} is a tar archive.", "Unpack it first.")
    return content, compressions


def _decompressed(stored: IO[bytes], kind: str) -> io.BufferedReader:
    if kind == "gzip":
        return io.BufferedReader(gzip.GzipFile(fileobj=stored))
    return io.BufferedReader(bz2.BZ2File(stored) if kind == "bzip2" else lzma.LZMAFile(stored))


def _head(content: IO[bytes]) -> bytes:
    """Return the first bytes, and leave the content at its beginning."""
    if isinstance(content, io.BufferedReader):
        return content.peek(_HEAD)[:_HEAD]
    head = content.read(_HEAD)
    content.seek(0)
    return head
