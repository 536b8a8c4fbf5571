"""The download of public rating sets, resumable and checked.

A set is complete or not there at all. Zip files are unpacked without trusting their paths.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import logging
import re
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from reelflow.base.errors import ReelflowError
from reelflow.data.sets import PublicFile, find_set

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far, those of an earlier attempt included, and all bytes if known."""

_ATTEMPTS: Final = 3  # in a row without a single new byte
_PAUSE: Final = 1.0  # seconds before another attempt, growing
_CHUNK: Final = 256 * 1024  # bytes
_TIMEOUT: Final = 60.0  # seconds without an answer
_CUT: Final = (OSError, http.client.HTTPException)  # what a bad connection raises

_LOG = logging.getLogger(__name__)


def download(
    name: str, to: Path, *, base_url: str | None = None, progress: Progress | None = None
) -> Path:
    """Download a set of `PUBLIC_SETS` into `to / name`, unless it is there already.

    Zip files are unpacked. An interrupted download leaves `to/<file>.part` and goes on from there
    the next time. The folder appears when everything in it is complete.

    Args:
        name: the set.
        to: folder of all sets.
        base_url: address of a folder with the set's files, instead of the publisher's.
        progress: told about each file.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
        ReelflowError: the server, the file or the disk failed; the message says what to do.
    """
    public = find_set(name)
    folder = to / public.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    # Sets of several files have some of the same names, as ratings.dat.
    prefix = f"{public.name}-" if len(public.files) > 1 else ""
    parts = {}
    for file in public.files:
        url = file.url if base_url is None else f"{base_url.rstrip('/')}/{file.name}"
        part = to / f"{prefix}{file.name}.part"
        try:
            to.mkdir(parents=True, exist_ok=True)
            part.touch()
        except OSError as error:
            raise _disk(to, error) from error
        checksum = file.checksum
        if file.md5_beside:
            checksum = _published_md5(f"{url}.md5", file)
        _fetch(url, part, progress or (lambda done, total: None))
        _check(part, checksum, url)
        parts[part] = url
    if public.files[0].name.endswith(".zip"):
        ((part, url),) = parts.items()
        unzip(part, folder, source=url)
        part.unlink()
    else:
        _put_together(dict(zip(parts, public.files, strict=True)), folder)
    return folder


def _check(part: Path, checksum: str | None, url: str) -> None:
    """Compare a file with its published checksum, or with the one inside of a gzip file."""
    with part.open("rb") as data:
        head = data.read(64).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        part.unlink()
        raise ReelflowError(
            f"{url}: the answer is a web page and not the file; it was removed.",
            "Open the address in a browser: something on the way may ask for a login.",
        )
    kind, _, wanted = (checksum or "").partition(":")
    if not kind:
        if url.endswith(".gz"):
            _check_gzip(part, url)
        return
    digest = hashlib.md5(usedforsecurity=False)
    if kind == "git":
        # Git's id of a file is the SHA-1 of its kind, its length and its content.
        digest = hashlib.sha1(f"blob {part.stat().st_size}\0".encode(), usedforsecurity=False)
    with part.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != wanted:
        part.unlink()  # to go on with it would not help
        label = "MD5" if kind == "md5" else "Git id"
        raise ReelflowError(
            f"{url}: the file's {label} is {digest.hexdigest()}, not {wanted}; it was removed.",
            "Run the download again. If that does not help, something between here and the server "
            "changes the file, or the file was replaced there.",
        )


def _check_gzip(part: Path, url: str) -> None:
    try:
        with gzip.open(part) as data:
            while data.read(_CHUNK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        part.unlink()
        raise ReelflowError(
            f"{url}: is no intact gzip file ({error}); it was removed.", "Run the download again."
        ) from error


def _put_together(parts: dict[Path, PublicFile], folder: Path) -> None:
    """Move files that need no unpacking into `folder`, which appears with all of them."""
    gathering = folder.with_name(f".{folder.name}.unpacking")
    try:
        shutil.rmtree(gathering, ignore_errors=True)
        gathering.mkdir()
        for part, file in parts.items():
            part.rename(gathering / file.name)
        if folder.is_dir():
            folder.rmdir()
        gathering.rename(folder)
    except OSError as error:
        raise _disk(folder, error) from error


def _fetch(url: str, part: Path, progress: Progress) -> None:
    """Append to `part` until it is complete, and try again where the connection breaks."""
    idle = 0
    while True:
        before = part.stat().st_size
        try:
            if _fetch_once(url, part, progress):
                return
            cause: Exception = ConnectionError("the connection was closed early")
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise _server(url, error) from error
            cause = error
        except _CUT as error:
            cause = error
        idle = 0 if part.stat().st_size > before else idle + 1
        if idle == _ATTEMPTS:
            raise _server(url, cause) from cause
        time.sleep(_PAUSE * idle)


def _fetch_once(url: str, part: Path, progress: Progress) -> bool:
    """Append over one connection the bytes that are missing; return True if none is left."""
    done = part.stat().st_size
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Nothing follows: complete, unless the file on the server has another length by now.
            length = re.search(r"/(\d+)$", error.headers.get("Content-Range") or "")
            if length is None or int(length.group(1)) == done:
                return True
            part.write_bytes(b"")
            return False
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0  # the server sends the whole file
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        _check_space(part.parent, (total or 0) - done)
        progress(done, total)
        try:
            out = part.open("ab" if done else "wb")
        except OSError as error:
            raise _disk(part, error) from error
        with out:
            while chunk := response.read(_CHUNK):
                try:
                    out.write(chunk)
                except OSError as error:
                    raise _disk(part, error) from error
                done += len(chunk)
                progress(done, total)
    return total is None or done == total


def _published_md5(url: str, file: PublicFile) -> str | None:
    """Return `md5:` and the MD5 in the file beside a file, None without such a file."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            text = response.read(1024).decode("ascii", errors="replace")
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.NOT_FOUND:
            _LOG.warning("%s is not published: only the zip file's own checks apply.", url)
            return None
        raise _server(url, error) from error
    except _CUT as error:
        raise _server(url, error) from error
    match = re.search(r"\b[0-9a-f]{32}\b", text.lower())
    if match is None:
        raise ReelflowError(f"{url}: holds no checksum for {file.name}.", "Try again later.")
    return f"md5:{match.group()}"


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ReelflowError(
            f"{folder}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free.",
            "Make room or choose another disk, and run this again.",
        )


def _disk(path: Path, error: OSError) -> ReelflowError:
    return ReelflowError(
        f"{path}: cannot be written: {error.strerror or error}.",
        "Make room or choose another folder; the download goes on from where it stopped.",
    )


def _server(url: str, error: Exception) -> ReelflowError:
    reason = getattr(error, "reason", None) or error
    code = f"{error.code} " if isinstance(error, urllib.error.HTTPError) else ""
    return ReelflowError(
        f"{url}: cannot be downloaded: {code}{reason}.",
        "Check the network and run this again: it goes on from where it stopped. Or download the "
        "file by hand, unpack it and run: reelflow run --data FOLDER",
    )


def unzip(archive: Path, folder: Path, *, source: str) -> None:
    """Unpack into `folder`, which appears only when all is there; CRCs are verified on the way.

    The one top folder that archives of data sets have is left out: `ml-1m/movies.dat` becomes
    `folder/movies.dat`.

    Args:
        archive: the zip file.
        folder: must not exist, or be empty.
        source: origin of the zip file, for messages.

    Raises:
        ReelflowError: no zip file, damaged, leads out of the folder, or there is no room.
    """
    unpacking = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)  # of an attempt that was interrupted
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, source)
            _check_space(folder.parent, sum(member.file_size for member, _ in members))
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
    """Return the files inside with their paths, without folders and a common top folder."""
    files = []
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
            files.append((member, path))
    if not files:
        raise zipfile.BadZipFile("it is empty")
    if len({path.parts[0] for _, path in files}) == 1 and all(len(p.parts) > 1 for _, p in files):
        return [(member, PurePosixPath(*path.parts[1:])) for member, path in files]
    return files
