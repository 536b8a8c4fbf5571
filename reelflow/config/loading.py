"""Reading the configuration from preset, file and overrides, and writing it as TOML."""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

import annotated_types
import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from reelflow.base.errors import BadInput
from reelflow.config import Config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_PRESET: Final = "best"
"""The preset that changes nothing: the defaults."""

_CONFIGS: Final = Path(__file__).parent / "bundled"
_PRESETS: Final = Path(__file__).parent / "presets"

# Paths and machines do not decide what a run does.
_PLACES: Final[dict[str, set[str] | bool]] = {
    "data": {"path"},
    "push": {"directory"},
    "registry": {"uri"},
    "keep": True,
    "kubeflow": True,
    "beam": True,
}

_BOUNDS: Final = {
    annotated_types.Ge: ("ge", "at least {:g}"),
    annotated_types.Gt: ("gt", "above {:g}"),
    annotated_types.Le: ("le", "at most {:g}"),
    annotated_types.Lt: ("lt", "below {:g}"),
}


def bundled_names() -> list[str]:
    """Return the names of the configurations that come with Reelflow."""
    return sorted(path.stem for path in _CONFIGS.glob("*.toml"))


def load(
    source: str | Path | None = None,
    overrides: Sequence[str] = (),
    preset: str | None = None,
) -> Config:
    """Read the defaults, over them a preset, over it a file, over that the overrides.

    Args:
        source: a TOML file, or a name of `bundled_names()`.
        overrides: `section.key=value`, the value in TOML; what is no TOML is taken as text.
        preset: a name of `preset_names()`.

    Raises:
        BadInput: naming file, key, value and what would be right.
    """
    values: dict[str, Any] = {}
    if preset is not None:
        if preset not in preset_names():
            close = difflib.get_close_matches(preset, preset_names(), n=1)
            hint = f"; did you mean {close[0]}?" if close else "."
            raise BadInput(
                f"--preset {preset}: there is no such preset{hint}", f"There are: {preset_list()}."
            )
        values = _read(_PRESETS / f"{preset}.toml")
    name = "the configuration"
    if source is not None:
        name, path = str(source), Path(source).expanduser()
        if not path.is_file():
            if name not in bundled_names():
                raise BadInput(
                    f"{name}: there is no such configuration file.",
                    f"Name a TOML file, or one of the bundled ones: {', '.join(bundled_names())}.",
                )
            path = _CONFIGS / f"{name}.toml"
        for section, keys in _read(path).items():
            below = values.get(section)
            if isinstance(below, dict) and isinstance(keys, dict):
                below.update(keys)
            else:
                values[section] = keys
    keys_set = [_override(values, override) for override in overrides]
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _describe(error, name, keys_set) from None


def preset_names() -> list[str]:
    """Return the names of the presets, the default one first."""
    names = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    return [DEFAULT_PRESET, *(name for name in names if name != DEFAULT_PRESET)]


def preset_list() -> str:
    """Return the names of all presets in one line."""
    return ", ".join(preset_names())


def config_hash(config: Config) -> str:
    """Hash everything that decides what a run does: all but paths and machines."""
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


def _override(values: dict[str, Any], override: str) -> str:
    """Set what `section.key=value` says, and return the key.

    The value is TOML; text that is no single TOML value, or a date, stands for itself.
    """
    key, equals, text = override.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key or not all(key.split(".")):
        raise BadInput(
            f"--set {override}: not of the form section.key=value.",
            "For example --set train.epochs=5.",
        )
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {"value": text}
    if len(parsed) > 1 or isinstance(parsed["value"], datetime.date | datetime.time):
        parsed = {"value": text}
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, Mapping):
            raise BadInput(f"--set {key}: {section} is a value, not a section.")
        values = values[section]
    values[last] = parsed["value"]
    return key


def _describe(error: ValidationError, name: str, keys_set: Sequence[str]) -> BadInput:
    """Describe every problem in one line: file or `--set`, key, value, and the allowed values."""
    problems: dict[str, str] = {}
    # A check of ours says more than what each member of a union has to say.
    for detail in sorted(error.errors(), key=lambda detail: detail["type"] != "value_error"):
        key = ".".join(map(str, detail["loc"][:2]))  # without the members of unions
        by_option = any(f"{k}.".startswith(f"{key}.") or key.startswith(f"{k}.") for k in keys_set)
        # A union reports once for each of its members: one word on the key is enough.
        problems.setdefault(key, _problem(detail, key, "--set" if by_option else name))
    return BadInput("\n".join(problems.values()), "`reelflow config show` lists every key.")


def documented_keys() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every dotted key of the configuration, in order."""
    for section, field in Config.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for key, inner in model.model_fields.items():
            yield f"{section}.{key}", inner


def _problem(detail: ErrorDetails, key: str, origin: str) -> str:
    if detail["type"] == "extra_forbidden":
        return f"{origin}: unknown key {key}. {_nearest(key)}"
    if detail["type"] == "value_error":
        return f"{origin}: {detail['ctx']['error']}."
    value = detail["input"]
    shown = f"{origin}: {key} = " + (f'"{value}"' if isinstance(value, str) else str(value))
    field = dict(documented_keys()).get(key)
    if field is None:
        return f"{shown}: this is a section, a table of keys."
    allowed = _allowed(field) or detail["msg"].removeprefix("Input should be ").replace(
        "a valid tuple", "a list"
    )
    meaning = " ".join((field.description or "").split())
    return f"{shown}: it must be {allowed}. ({meaning})"


def _allowed(field: FieldInfo) -> str:
    """The range of a number in words, or the choices of an enumeration; empty for anything else."""
    annotation, metadata = field.annotation, field.metadata
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if len(parts) == 1 and get_origin(parts[0]) is Annotated:  # a number or none
        annotation, of_number = get_args(parts[0])
        metadata = of_number.metadata
    bounds = [
        text.format(getattr(item, attribute))
        for item in metadata
        for kind, (attribute, text) in _BOUNDS.items()
        if isinstance(item, kind)
    ]
    if bounds:
        number = "a whole number, " if annotation is int else "a number, "
        return number + " and ".join(bounds)
    choices = getattr(field.annotation, "__members__", None)
    if choices:
        return "one of " + ", ".join(member.value for member in choices.values())
    arguments = get_args(field.annotation)
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return "one of " + ", ".join(arguments)
    return ""


def _nearest(key: str) -> str:
    """Suggest a key for an unknown one, from its own section first."""
    keys = [name for name, _ in documented_keys()]
    section, _, last = key.rpartition(".")
    inside = [name.partition(".")[2] for name in keys if name.startswith(f"{section}.")]
    if close := difflib.get_close_matches(last, inside, n=1):
        return f"Did you mean {section}.{close[0]}?"
    if not section and (close := difflib.get_close_matches(last, Config.model_fields, n=1)):
        return f"Did you mean {close[0]}?"
    by_last = {name.partition(".")[2]: name for name in keys}
    if close := difflib.get_close_matches(last, by_last, n=1):
        return f"Did you mean {by_last[close[0]]}?"
    if inside:
        return f"[{section}] knows {', '.join(inside)}."
    return f"The sections are {', '.join(Config.model_fields)}."


def to_toml(config: Config, comments: bool = True) -> str:
    """Write a configuration as TOML that explains itself and can be read back.

    Args:
        config: the effective configuration.
        comments: put every key's description above it, and keys without a value as a comment.
    """
    lines = []
    for section in Config.model_fields:
        model = getattr(config, section)
        lines.append(f"\n[{section}]")
        values = model.model_dump(mode="json")
        for key, field in type(model).model_fields.items():
            if comments:
                text = " ".join((field.description or "").split())
                lines += [f"# {line}" for line in textwrap.wrap(text, width=96)]
            if values[key] is not None:
                lines.append(_pair(key, values[key]))
            elif comments:
                lines.append(f"# {key} = (not set)")
    return "\n".join(lines).strip() + "\n"


def _pair(key: str, value: object) -> str:
    if isinstance(value, dict):  # on one line, unlike tomli_w, and lists too
        inline = ", ".join(_pair(k, v) for k, v in value.items() if v is not None)
        return f"{key} = {{ {inline} }}" if inline else f"{key} = {{}}"
    if isinstance(value, list):
        items = ", ".join(_pair("x", item).removeprefix("x = ") for item in value)
        return f"{key} = [{items}]"
    return tomli_w.dumps({key: value}).strip()
