"""The look of a drawn poster: colour and picture by genre, for the page and for notebooks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

GENRE_LOOKS: Final = Path(__file__).parent / "genre_looks.json"
"""Looks by genre in small letters, in order of how much a genre says; the last, of the empty name,
is for movies without any of these. The page reads the same file."""


@dataclass(frozen=True)
class Look:
    """Colour and picture of a poster."""

    hue: int
    """Degrees, as in CSS' `hsl`."""
    saturation: int
    """Per cent."""
    path: str
    """Lines of the picture: an SVG path in a box of 24."""


@cache
def _looks() -> dict[str, Look]:
    stored = json.loads(GENRE_LOOKS.read_text(encoding="utf-8"))
    return {genre: Look(**look) for genre, look in stored.items()}


def look_of(genres: Sequence[str]) -> Look:
    """Return the look of a movie by its genres: the one that says most decides."""
    names = {genre.lower() for genre in genres}
    return next(look for genre, look in _looks().items() if genre in names or not genre)
