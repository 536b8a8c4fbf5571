"""Reads the configuration: preset, file, overrides, each over the one before, into a `Config`."""

from __future__ import annotations

import datetime
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config import Config
from pipeline.config_problems import describe
from pipeline.presets import find_preset
from ratings.errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_CONFIGS = Path(__file__).parent / "configs"
_DATES = (datetime.date, datetime.time)  # datetime is a date

# Where things lie, and where they run, says nothing about what a run does.
_PLACES: dict[str, set[str] | bool] = {
    "data": {"path"},
    "push": {"directory"},
    "registry": {"uri"},
    "kubeflow": True,
    "beam": True,
}


def bundled() -> list[str]:
    """Names of the configurations that come with Reelflow."""
    return sorted(path.stem for path in _CONFIGS.glob("*.toml"))


def load(
    source: str | Path | None = None,
    overrides: Sequence[str] = (),
    preset: str | None = None,
) -> Config:
    """The defaults, over them a preset, over it a file, over that the overrides.

    Args:
        source: a TOML file, or a name of `bundled()`.
        overrides: `section.key=value`, the value in TOML; what is no TOML is taken as text.
        preset: a name of `pipeline.presets.presets()`.

    Raises:
        BadInput: naming file, key, value and what would be right.
    """
    values: dict[str, Any] = _read(find_preset(preset)) if preset is not None else {}
    name = "the configuration"
    if source is not None:
        path = find(source)
        name = str(source)
        values = _over(values, _read(path))
    origins: dict[str, str] = {}
    for override in overrides:
        key, value = _parse(override)
        _put(values, key, value)
        origins[key] = "--set"
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise describe(error, values, name, origins) from None


def find(source: str | Path) -> Path:
    """The TOML file behind what `--config` was given.

    Raises:
        BadInput: neither a file nor a bundled name.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if str(source) in bundled():
        return _CONFIGS / f"{source}.toml"
    raise BadInput(
        f"{source}: there is no such configuration file.",
        f"Name a TOML file, or one of the bundled ones: {', '.join(bundled())}.",
    )


def config_hash(config: Config) -> str:
    """Hash of all that decides what a run does: everything but where things lie."""
    values = config.model_dump(mode="json", exclude=_PLACES)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not valid TOML: {error}.", "Mend that line.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8: {error}.", "Save the file as UTF-8.") from None


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two configurations in one; where both set a key, the second one's value."""
    merged = {**below, **above}
    for section in below.keys() & above.keys():
        if isinstance(below[section], dict) and isinstance(above[section], dict):
            merged[section] = {**below[section], **above[section]}
    return merged


def _parse(override: str) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key or not all(key.split(".")):
        raise BadInput(
            f"--set {override}: not of the form section.key=value.",
            "For example --set train.epochs=5.",
        )
    return key, _value(text.strip())


def _value(text: str) -> Any:
    """A TOML value; text that is no single TOML value, or a date, stands for itself."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = parsed["value"]
    return text if len(parsed) > 1 or isinstance(value, _DATES) else value


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, Mapping):
            raise BadInput(f"--set {key}: {section} is a value, not a section.")
        values = values[section]
    values[last] = value
