"""Known model designs by name: TOMLs of a few lines in `configs/presets/`, over the defaults."""

from __future__ import annotations

import difflib
from pathlib import Path

from ratings.errors import BadInput

DEFAULT = "best"
"""The preset that changes nothing: the defaults."""

_FOLDER = Path(__file__).parent / "configs" / "presets"


def presets() -> list[str]:
    """Names of the presets, the default one first."""
    names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
    return [DEFAULT, *(name for name in names if name != DEFAULT)]


def find_preset(name: str) -> Path:
    """The TOML file of a preset.

    Raises:
        BadInput: there is none of that name; the message has the nearest one.
    """
    if name in presets():
        return _FOLDER / f"{name}.toml"
    close = difflib.get_close_matches(name, presets(), n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    raise BadInput(f"--preset {name}: there is no such preset{hint}", f"There are: {listed()}.")


def listed() -> str:
    """All names in one line."""
    return ", ".join(presets())
