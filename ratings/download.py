"""Fetches the public rating sets: resumable, checked, and complete or not there at all."""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ratings.errors import ReelflowError
from ratings.public_sets import BASE_URL, NAMES, PublicSet, find, licence_notice
from ratings.unzip import unzip

__all__ = ["NAMES", "Progress", "download", "licence_notice"]

Progress = Callable[[int, int | None], None]
"""Is told the bytes so far, those of an earlier attempt included, and all bytes if known."""

_ATTEMPTS: Final = 3  # in a row without a single new byte
_PAUSE: Final = 1.0  # seconds before another attempt, growing
_CHUNK: Final = 256 * 1024  # bytes
_TIMEOUT: Final = 60.0  # seconds without an answer
_CUT: Final = (OSError, http.client.HTTPException)  # what a bad connection raises

_LOG = logging.getLogger(__name__)


def download(
    name: str, to: Path, *, base_url: str = BASE_URL, progress: Progress | None = None
) -> Path:
    """Download a set and unpack it into `to / name`; does nothing if it is there already.

    An interrupted download leaves `to/<file>.zip.part` and goes on from there the next time.
    The folder appears when everything in it is complete.

    Args:
        name: one of `NAMES`.
        to: the folder of all data sets; created if need be.
        base_url: where the zip files are.
        progress: called after every chunk.

    Returns:
        `to / name`.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
        ReelflowError: the server, the file or the disk failed; the message says what to do.
    """
    chosen = find(name)
    folder = to / chosen.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    part = to / f"{chosen.file}.part"
    url = f"{base_url.rstrip('/')}/{chosen.file}"
    try:
        to.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise _disk(to, error) from error
    md5 = chosen.md5 or _published_md5(f"{url}.md5", chosen)
    _fetch(url, part, progress or (lambda done, total: None))
    _check(part, md5, url)
    unzip(part, folder, source=url)
    part.unlink()
    return folder


def _fetch(url: str, part: Path, progress: Progress) -> None:
    """Append to `part` until it is whole; tries again where the connection breaks."""
    idle = 0
    while True:
        before = part.stat().st_size
        try:
            if _fetch_on(url, part, progress):
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


def _fetch_on(url: str, part: Path, progress: Progress) -> bool:
    """One connection: append what follows the bytes at hand. True if the file is whole."""
    done = part.stat().st_size
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True  # nothing follows; if that is wrong the checksum will tell
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


def _published_md5(url: str, chosen: PublicSet) -> str | None:
    """The checksum in the `.md5` file beside the zip file; none if there is no such file."""
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
    found = re.search(r"\b[0-9a-f]{32}\b", text.lower())
    if found is None:
        raise ReelflowError(f"{url}: holds no checksum for {chosen.file}.", "Try again later.")
    return found.group()


def _check(part: Path, md5: str | None, url: str) -> None:
    """Compare checksums; a wrong file is removed, as going on with it would not help."""
    if md5 is None:
        return
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        part.unlink()
        raise ReelflowError(
            f"{url}: the file's MD5 is {digest.hexdigest()}, not {md5}; it was removed.",
            "Run the download again. If that does not help, something between here and the server "
            "changes the file, or the file was replaced there.",
        )


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ReelflowError(
            f"{folder}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free.",
            "Make room, or download to another disk.",
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
