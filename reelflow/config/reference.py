"""The reference of all configuration keys, docs/configuration.md, from the models themselves.

`python -m reelflow.config.reference FILE` (`make docs`) writes it.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from reelflow.config import Config

_HEAD = """# Configuration

Every key, written by `make docs` from the models in [reelflow/config/](../reelflow/config/).

A configuration is a TOML file with these sections, given with `--config FILE`. On top of it,
`--set section.key=value` sets one key. What is not given has its default. An unknown key is an
error that names the nearest one. `reelflow config show` prints the effective configuration.

"not set" means that the key has no value unless you give one; the last column then says what
"none" does.
"""
_NUMBER = "number"
_TYPES = {
    "integer": f"whole {_NUMBER}",
    "number": _NUMBER,
    "string": "text",
    "boolean": "true or false",
    "object": "table",
}
_BOUNDS = {
    "minimum": "≥ {:g}",
    "exclusiveMinimum": "> {:g}",
    "maximum": "≤ {:.10g}",
    "exclusiveMaximum": "< {:g}",
}

Schema = Mapping[str, Any]


def reference() -> str:
    """The page, in Markdown."""
    schema, defaults = Config.model_json_schema(), Config().model_dump(mode="json")
    parts = [_HEAD]
    for section, content in schema["properties"].items():
        model = _resolved(content, schema)
        rows = "\n".join(_rows(model, schema, defaults[section]))
        parts.append(
            f"## {section}\n\n{_prose(content.get('description') or model['description'])}\n\n"
            f"| key | value | default | what |\n|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _rows(
    model: Schema, schema: Schema, defaults: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """A line a key; of a section within the section, a line for each of its keys."""
    for key, field in model["properties"].items():
        inner = _resolved(field, schema)
        if "properties" in inner:
            yield from _rows(inner, schema, defaults[key], f"{above}{key}.")
            continue
        cells = (_kind(field, schema), _default(defaults[key]), field.get("description", ""))
        yield f"| `{above}{key}` | {' | '.join(map(_prose, cells))} |"


def _resolved(field: Schema, schema: Schema) -> Schema:
    name = field.get("$ref", "").rpartition("/")[2]
    found: Schema = schema["$defs"][name] if name else field
    return found


def _kind(field: Schema, schema: Schema) -> str:
    """What may stand there, in words."""
    one = _resolved(field, schema)
    if "anyOf" in one:
        kinds = [_kind(part, schema) for part in one["anyOf"] if part.get("type") != "null"]
        kinds = [kind for kind in kinds if (kind, "number" in kinds) != ("whole number", True)]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "const" in one:
        return f"`{one['const']}`"
    if one.get("maxLength") == 1:
        return "one character"
    kind = _TYPES.get(one["type"], "list")
    if kind == "list":
        kind = f"list of {_kind(one['items'], schema).replace(_NUMBER, f'{_NUMBER}s')}"
    return ", ".join(
        [kind, *(sign.format(one[key]) for key, sign in _BOUNDS.items() if key in one)]
    )


def _default(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, dict) and value:
        return "see `reelflow config show`"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _prose(text: str) -> str:
    """One line, without what would end a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")


# Writes a configuration as TOML that explains itself and can be read back.


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
