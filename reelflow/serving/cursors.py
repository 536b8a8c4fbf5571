"""Cursors: where the next page of a list begins, as one word of a URL."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from reelflow.serving.limits import Problem

DEEPEST: Final = 5_000
"""Movies of all pages of one list of recommendations."""


def cursor(version: int, place: int) -> str:
    """Return the cursor of a place in a list of one version."""
    return base64.urlsafe_b64encode(f"{version}.{place}".encode()).decode().rstrip("=")


def place_of(text: str | None, version: int, deepest: int = DEEPEST) -> int:
    """Return the place that a cursor stands for, below `deepest`; 0 for none.

    Raises:
        Problem: 422, it is no cursor; 409, it is of another version, whose lists differ.
    """
    if text is None:
        return 0
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    match = re.fullmatch(r"(\d{1,18})\.(\d{1,9})", plain, re.ASCII)
    if match is None or int(match[2]) >= deepest:
        raise Problem(422, "cursor: take it from `next` of the page before.")
    if int(match[1]) != version:
        raise Problem(409, "Another version of the model serves now: begin with the first page.")
    return int(match[2])
