"""What tells one model from another: the bytes of its files, wherever they lie."""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_hash(folder: Path) -> str:
    """SHA-256 over names and bytes of all files in a folder, or of one file's bytes.

    Times and places do not count.
    """
    digest = hashlib.sha256()
    for file in _files(folder):
        for part in (file.relative_to(folder).as_posix().encode(), file.read_bytes()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
