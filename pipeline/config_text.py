"""Writes a configuration as TOML that explains itself and can be read back."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import tomli_w
from pydantic import BaseModel

from pipeline.config import Config

_WIDTH = 98


def render(config: Config, comments: bool = True) -> str:
    """The effective configuration in TOML.

    Args:
        config: what to write.
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
