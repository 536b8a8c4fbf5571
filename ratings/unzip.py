"""Unpacks a downloaded zip file without trusting it."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ratings.errors import ReelflowError


def unzip(archive: Path, folder: Path, *, source: str) -> None:
    """Unpack into `folder`, which appears only when all is there; CRCs are verified on the way.

    The one top folder that archives of data sets have is left out: `ml-1m/movies.dat` becomes
    `folder/movies.dat`.

    Args:
        archive: the zip file.
        folder: must not exist, or be empty.
        source: where the zip file came from, for messages.

    Raises:
        ReelflowError: no zip file, damaged, leads out of the folder, or there is no room.
    """
    unpacking = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)  # of an attempt that was interrupted
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, source)
            _check_room(folder.parent, sum(member.file_size for member, _ in members))
            for member, path in members:
                target = unpacking / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as data, target.open("wb") as out:
                    shutil.copyfileobj(data, out, 1 << 20)
        if folder.is_dir():
            folder.rmdir()
        unpacking.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        archive.unlink()
        raise ReelflowError(
            f"{source}: is no intact zip file ({error}); it was removed.",
            "Run the download again.",
        ) from error
    except OSError as error:
        raise ReelflowError(
            f"{folder}: cannot be written: {error.strerror or error}.",
            "Make room or choose another folder, and run this again.",
        ) from error
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _members(opened: zipfile.ZipFile, source: str) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files inside with their paths, without folders and a top folder that all share."""
    found = []
    for member in opened.infolist():
        path = PurePosixPath(member.filename)
        link = stat.S_ISLNK(member.external_attr >> 16)
        odd = "\\" in member.filename or ":" in member.filename
        if link or odd or path.is_absolute() or ".." in path.parts:
            raise ReelflowError(
                f"{source}: holds {member.filename!r}, which leads out of the folder: refused.",
                "Nothing was unpacked. Make sure that the address is the right one.",
            )
        if not member.is_dir() and path.parts[0] != "__MACOSX":
            found.append((member, path))
    if not found:
        raise zipfile.BadZipFile("it is empty")
    if len({path.parts[0] for _, path in found}) == 1 and all(len(p.parts) > 1 for _, p in found):
        return [(member, PurePosixPath(*path.parts[1:])) for member, path in found]
    return found


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ReelflowError(
            f"{folder}: {needed / 1e6:.0f} MB are needed to unpack and {free / 1e6:.0f} MB free.",
            "Make room and run this again.",
        )
