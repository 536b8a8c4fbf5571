"""What the code was: part of the cache's key, so that a new version computes everything anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGES = ("components", "ratings", "pipeline/definition.py")


def code_hash(root: Path = Path(__file__).parents[1]) -> str:
    """SHA-256 of the source files below `root` that decide what the nodes compute."""
    files = [f for name in _PACKAGES for f in (root / name, *(root / name).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
