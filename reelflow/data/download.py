"""The public rating sets: their licences, and a download that is resumable and checked.

A set is complete or not there at all. Zip files are unpacked without trusting their paths.
"""

from __future__ import annotations

import difflib
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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from reelflow.base.errors import BadInput, ReelflowError

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far, those of an earlier attempt included, and all bytes if known."""

_ATTEMPTS: Final = 3  # in a row without a single new byte
_PAUSE: Final = 1.0  # seconds before another attempt, growing
_CHUNK: Final = 256 * 1024  # bytes
_TIMEOUT: Final = 60.0  # seconds without an answer
_CUT: Final = (OSError, http.client.HTTPException)  # what a bad connection raises

_LOG = logging.getLogger(__name__)

BASE_URL: Final = "https://files.grouplens.org/datasets/movielens"
CITATION: Final = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4. https://doi.org/10.1145/2827872"
)


@dataclass(frozen=True)
class PublicSet:
    """A set of ratings that GroupLens publishes as one zip file."""

    name: str
    """Name in Reelflow, and of the folder that it is unpacked into."""
    stem: str
    """Name of GroupLens's zip file, without `.zip`."""
    megabytes: int
    md5: str | None = None
    """Of the zip file; none: it is read from the `.md5` file beside it."""
    may_be_passed_on: bool = True
    """Redistribution is allowed under the same conditions; otherwise only with permission."""


_SETS: Final = (
    PublicSet("movielens-100k", "ml-100k", 5, "0e33842e24a9c977be4e0107933c0723", False),
    PublicSet("movielens-1m", "ml-1m", 6, "c4d9eecfca2ab87c1945afe126590906", False),
    PublicSet("movielens-latest-small", "ml-latest-small", 1),  # changes from time to time
    PublicSet("movielens-20m", "ml-20m", 199, "cd245b17a1ae2cc31bb14903e1204af3"),
    PublicSet("movielens-25m", "ml-25m", 262, "6b51fb2759a8657d3bfcbfc42b592ada"),
    PublicSet("movielens-32m", "ml-32m", 239),
)
PUBLIC_SETS: Final = {public.name: public for public in _SETS}

NETFLIX: Final = "netflix"  # not published any more: only for those who have it
SAMPLE: Final = "sample"  # built in, see reelflow/data/sample/
NAMES: Final = (*PUBLIC_SETS, NETFLIX)
"""Every set that can be used by name, the built-in sample apart."""


def find_set(name: str) -> PublicSet:
    """Return the set of that name.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
    """
    if name in PUBLIC_SETS:
        return PUBLIC_SETS[name]
    if name == SAMPLE:
        raise BadInput("The sample is built in: there is nothing to download.", "Run reelflow run.")
    if name == NETFLIX:
        raise BadInput(
            "The Netflix ratings are not on offer any more, so they cannot be downloaded.",
            "If you have them, put Netflix_Dataset_Rating.csv and Netflix_Dataset_Movie.csv into a "
            "folder and run: reelflow run --data FOLDER",
        )
    known = {**dict.fromkeys(PUBLIC_SETS), **{public.stem: public.name for public in _SETS}}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {known[near[0]] or near[0]}? " if near else ""
    raise BadInput(
        f"{name}: there is no such data set.", f"{hint}There are: {', '.join(PUBLIC_SETS)}."
    )


def licence_notice(name: str) -> str:
    """Describe the conditions of a set in a few lines.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
    """
    public = find_set(name)
    passing_on = "is allowed under the same conditions"
    if not public.may_be_passed_on:
        passing_on = "needs permission from GroupLens"
    page = f"{public.stem}-README.{'txt' if public.stem in {'ml-100k', 'ml-1m'} else 'html'}"
    return (
        f"{public.name} is {public.stem}.zip (about {public.megabytes} MB) by GroupLens, "
        "University of Minnesota. It may be used for research, with acknowledgement and without "
        "implying endorsement. Commercial use needs permission from GroupLens. Passing it on "
        f"{passing_on}. It comes without any warranty.\n"
        f"The README inside has the full conditions; so has {BASE_URL}/{page}\n"
        f"Cite: {CITATION}"
    )


def download(
    name: str, to: Path, *, base_url: str = BASE_URL, progress: Progress | None = None
) -> Path:
    """Download a set of `PUBLIC_SETS` and unpack it into `to / name`, unless it is there already.

    An interrupted download leaves `to/<file>.zip.part` and goes on from there the next time.
    The folder appears when everything in it is complete.

    Raises:
        BadInput: there is no such set, or it cannot be downloaded.
        ReelflowError: the server, the file or the disk failed; the message says what to do.
    """
    public = find_set(name)
    folder = to / public.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    part = to / f"{public.stem}.zip.part"
    url = f"{base_url.rstrip('/')}/{public.stem}.zip"
    try:
        to.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise _disk(to, error) from error
    md5 = public.md5 or _published_md5(f"{url}.md5", public)
    _fetch(url, part, progress or (lambda done, total: None))
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    if md5 not in (None, digest.hexdigest()):
        part.unlink()  # to go on with it would not help
        raise ReelflowError(
            f"{url}: the file's MD5 is {digest.hexdigest()}, not {md5}; it was removed.",
            "Run the download again. If that does not help, something between here and the server "
            "changes the file, or the file was replaced there.",
        )
    unzip(part, folder, source=url)
    part.unlink()
    return folder


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


def _published_md5(url: str, public: PublicSet) -> str | None:
    """Return the checksum in the `.md5` file beside the zip file, None without such a file."""
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
        raise ReelflowError(f"{url}: holds no checksum for {public.stem}.zip.", "Try again later.")
    return match.group()


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
