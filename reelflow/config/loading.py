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
from typing import Any, Final, get_args

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
_DATES: Final = (datetime.date, datetime.time)  # datetime is a date
_WIDTH: Final = 98  # characters of a comment in TOML

# Paths and machines do not decide what a run does.
_PLACES: Final[dict[str, set[str] | bool]] = {
    "data": {"path"},
    "push": {"directory"},
    "registry": {"uri"},
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
    values: dict[str, Any] = _read(preset_file(preset)) if preset is not None else {}
    name = "the configuration"
    if source is not None:
        path = find_config(source)
        name = str(source)
        values = _merge(values, _read(path))
    origins: dict[str, str] = {}
    for override in overrides:
        key, value = _parse(override)
        _set(values, key, value)
        origins[key] = "--set"
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _describe(error, values, name, origins) from None


def find_config(source: str | Path) -> Path:
    """Return the TOML file that `--config` names.

    Raises:
        BadInput: neither a file nor a bundled name.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if str(source) in bundled_names():
        return _CONFIGS / f"{source}.toml"
    raise BadInput(
        f"{source}: there is no such configuration file.",
        f"Name a TOML file, or one of the bundled ones: {', '.join(bundled_names())}.",
    )


def preset_names() -> list[str]:
    """Return the names of the presets, the default one first."""
    names = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    return [DEFAULT_PRESET, *(name for name in names if name != DEFAULT_PRESET)]


def preset_file(name: str) -> Path:
    """Return the TOML file of a preset.

    Raises:
        BadInput: there is none of that name; the message has the nearest one.
    """
    if name in preset_names():
        return _PRESETS / f"{name}.toml"
    close = difflib.get_close_matches(name, preset_names(), n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    raise BadInput(
        f"--preset {name}: there is no such preset{hint}", f"There are: {preset_list()}."
    )


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


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge two configurations; where both set a key, the second one's value counts."""
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


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, Mapping):
            raise BadInput(f"--set {key}: {section} is a value, not a section.")
        values = values[section]
    values[last] = value


def _describe(
    error: ValidationError, values: Mapping[str, Any], name: str, origins: Mapping[str, str]
) -> BadInput:
    """Describe every problem in one line: file, key, value, and the allowed values.

    Args:
        error: pydantic's.
        values: the values of file and overrides together.
        name: the file, as the user named it.
        origins: dotted key to the option that set it instead of the file.
    """
    problems: dict[str, str] = {}
    # A check of ours says more than what each member of a union has to say.
    for detail in sorted(error.errors(), key=lambda detail: detail["type"] != "value_error"):
        key = _key(detail["loc"])
        origin = next((o for k, o in origins.items() if _concerns(key, k)), name)
        # A union reports once for each of its members: one word on the key is enough.
        problems.setdefault(key, _problem(detail, key, origin))
    return BadInput("\n".join(problems.values()), "`reelflow config show` lists every key.")


def documented_keys() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every dotted key of the configuration, in order."""
    for section, field in Config.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for key, inner in model.model_fields.items():
            yield f"{section}.{key}", inner


def _concerns(key: str, override: str) -> bool:
    return key == override or override.startswith(f"{key}.") or key.startswith(f"{override}.")


def _key(loc: tuple[int | str, ...]) -> str:
    """The dotted key, without the names of union members that pydantic adds."""
    return ".".join(str(part) for part in loc[:2])


def _problem(detail: ErrorDetails, key: str, origin: str) -> str:
    if detail["type"] == "extra_forbidden":
        return f"{origin}: unknown key {key}. {_nearest(key)}"
    if detail["type"] == "value_error":
        return f"{origin}: {detail['ctx']['error']}."
    shown = f"{origin}: {key} = {_shown(detail['input'])}"
    field = dict(documented_keys()).get(key)
    if field is None:
        return f"{shown}: this is a section, a table of keys."
    allowed = _allowed(field) or detail["msg"].removeprefix("Input should be ").replace(
        "a valid tuple", "a list"
    )
    meaning = " ".join((field.description or "").split())
    return f"{shown}: it must be {allowed}. ({meaning})"


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _allowed(field: FieldInfo) -> str:
    """The range of a number in words, or the choices of an enumeration; empty for anything else."""
    bounds = [
        text.format(getattr(item, attribute))
        for item in field.metadata
        for kind, (attribute, text) in _BOUNDS.items()
        if isinstance(item, kind)
    ]
    if bounds:
        number = "a whole number, " if field.annotation is int else "a number, "
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
    return "\n".join(_lines(config, comments)).strip() + "\n"


def _lines(config: Config, comments: bool) -> Iterator[str]:
    for section in Config.model_fields:
        model = getattr(config, section)
        yield f"\n[{section}]"
        yield from _section(model, comments)


def _section(model: BaseModel, comments: bool) -> Iterator[str]:
    values = model.model_dump(mode="json")
    for key, field in type(model).model_fields.items():
        value = values[key]
        if comments:
            yield from textwrap.wrap(
                " ".join((field.description or "").split()),
                width=_WIDTH,
                initial_indent="# ",
                subsequent_indent="# ",
            )
        if value is None:
            if comments:
                yield f"# {key} = (not set)"
        else:
            yield _pair(key, value)


def _pair(key: str, value: object) -> str:
    if isinstance(value, dict):  # on one line, unlike tomli_w, and lists too
        inline = ", ".join(_pair(k, v) for k, v in value.items() if v is not None)
        return f"{key} = {{ {inline} }}" if inline else f"{key} = {{}}"
    if isinstance(value, list):
        items = ", ".join(_pair("x", item).removeprefix("x = ") for item in value)
        return f"{key} = [{items}]"
    return tomli_w.dumps({key: value}).strip()
