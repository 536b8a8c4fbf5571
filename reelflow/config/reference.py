"""The reference of all configuration keys, docs/configuration.md, from the models themselves.

`python -m reelflow.config.reference FILE` (`make docs`) writes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
    """Return the page, in Markdown."""
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
    """Yield a line for each key, those of a section inside the section included."""
    for key, field in model["properties"].items():
        inner = _resolved(field, schema)
        if "properties" in inner:
            yield from _rows(inner, schema, defaults[key], f"{above}{key}.")
            continue
        value = defaults[key]
        default = f"`{value if isinstance(value, str) else json.dumps(value)}`"
        if value is None:
            default = "not set"
        elif isinstance(value, dict) and value:
            default = "see `reelflow config show`"
        cells = (_kind(field, schema), default, field.get("description", ""))
        yield f"| `{above}{key}` | {' | '.join(map(_prose, cells))} |"


def _resolved(field: Schema, schema: Schema) -> Schema:
    name = field.get("$ref", "").rpartition("/")[2]
    resolved: Schema = schema["$defs"][name] if name else field
    return resolved


def _kind(field: Schema, schema: Schema) -> str:
    """Describe the allowed values."""
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


def _prose(text: str) -> str:
    """Return one line that can stand in a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
