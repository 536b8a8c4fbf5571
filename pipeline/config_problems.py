"""Words for what is wrong with a configuration: file, key, value, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.config import Config
from ratings.errors import BadInput

_BOUNDS = {
    annotated_types.Ge: ("ge", "at least {:g}"),
    annotated_types.Gt: ("gt", "above {:g}"),
    annotated_types.Le: ("le", "at most {:g}"),
    annotated_types.Lt: ("lt", "below {:g}"),
}


def describe(
    error: ValidationError, values: Mapping[str, Any], name: str, origins: Mapping[str, str]
) -> BadInput:
    """One line for every thing that is wrong.

    Args:
        error: what pydantic found.
        values: what was read, file and overrides together.
        name: the file, as the user named it.
        origins: what set a key instead of the file, by dotted key.
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
    """Every dotted key of the configuration, in order."""
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
    """A suggestion for an unknown key, from its own section first."""
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
