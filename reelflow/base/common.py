"""Helpers that several packages share: durations, mappings, hashes, file locks, notices."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

SECONDS_PER_DAY: Final = 86_400
_BLOCK: Final = 1 << 20

K = TypeVar("K", str, int, tuple[int, int])


def format_duration(seconds: float) -> str:
    """Return `4.2 s` or `3 min 05 s`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def added(counts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    """Add counts up by key, in order."""
    total: Counter[K] = Counter()
    for part in counts:
        total.update(part)
    return {key: total[key] for key in sorted(total)}


def flatten(values: Mapping[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their path, as `train.epochs` or `unseen/top_100`."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            leaves |= flatten(value, separator, f"{path}{separator}")
        else:
            leaves[path] = value
    return leaves


def content_hash(path: Path) -> str:
    """Return the SHA-256 over names and bytes of all files in a folder, or of one file's bytes.

    The folder's own name and the files' times do not count, so that copies have the same hash.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        name = file.relative_to(path).as_posix().encode()
        digest.update(len(name).to_bytes(8, "big") + name)
        with file.open("rb") as content:
            digest.update(os.fstat(content.fileno()).st_size.to_bytes(8, "big"))
            while block := content.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def file_lock(path: Path) -> Iterator[bool]:
    """Lock a file until the context, or the process, ends; yield False if another process holds it.

    Raises:
        OSError: the file or its folder cannot be made.
    """
    import fcntl  # Unix only, while `--help` and the like work everywhere

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_locked(path: Path) -> bool:
    """Return True if another process holds the lock of a file."""
    if not path.is_file():
        return False
    with file_lock(path) as acquired:
        return not acquired


_receivers: Final[list[Callable[[str], None]]] = []


def send_notice(text: str) -> None:
    """Hand a line on a step's work to every receiver in the process, if there are any."""
    for receiver in _receivers:
        receiver(text)


@contextmanager
def notices_to(receiver: Callable[[str], None]) -> Iterator[None]:
    """Hand every notice to `receiver`, as the display of progress, while the context lasts."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)
