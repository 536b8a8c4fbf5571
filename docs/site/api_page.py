"""The server's OpenAPI document as one page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_BOUNDS = {"minimum": "≥", "maximum": "≤", "maxLength": "length ≤", "maxItems": "items ≤"}
_OWN = {"HTTPValidationError", "ValidationError"}
"""FastAPI's own objects, which this server never sends."""


def api_page(document: dict[str, Any]) -> str:
    """Return the page: what all operations share, then each of them, then the objects they name."""
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines = groups.setdefault(operation["tags"][0], [])
            lines += _operation(f"{method.upper()} {path}", operation)
    lines = ["# REST API", "", document["info"]["description"], ""]
    for tag, operations in groups.items():
        lines += [f"## {tag}", "", *operations]
    lines += ["## Objects", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name not in _OWN:
            lines += [f"### {name}", "", schema.get("description", _kind(schema)), ""]
            lines += _table(_fields(schema))
    return "\n".join(lines)


def _operation(name: str, one: dict[str, Any]) -> Iterator[str]:
    scope = f" Scope of a key: `{one['x-scope']}`." if "x-scope" in one else " No key is asked for."
    yield from (f"### {name}", "", f"**{one['summary']}.** {one['description']}{scope}", "")
    rows = [
        (p["name"], p["schema"], p.get("required", False), p.get("description"))
        for p in one.get("parameters", ())
    ]
    yield from _table(rows)
    if "requestBody" in one:
        body = one["requestBody"]["content"]["application/json"]
        yield from (f"Body: {_kind(body['schema'])}", "")
        if "example" in body:
            yield from ("```json", json.dumps(body["example"], indent=2), "```", "")
    content = one["responses"]["200"].get("content", {})
    answer = content.get("application/json", {}).get("schema")
    yield from (f"Answer: {_kind(answer) if answer else ', '.join(content)}", "")


def _fields(schema: dict[str, Any]) -> list[tuple[str, Any, bool, str | None]]:
    required = schema.get("required", ())
    return [
        (name, one, name in required, one.get("description"))
        for name, one in schema.get("properties", {}).items()
    ]


def _table(rows: list[tuple[str, Any, bool, str | None]]) -> Iterator[str]:
    if rows:
        yield from ("| name | value | meaning |", "|---|---|---|")
    for name, schema, required, text in rows:
        value = ", ".join(filter(None, [_kind(schema), _bounds(schema), "required" * required]))
        meaning = (text or schema.get("description") or "").replace("|", r"\|")
        yield f"| `{name}` | {value} | {meaning} |"
    if rows:
        yield ""


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_kind(one) for one in schema.get("anyOf") or schema["oneOf"])
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return f"object of {_kind(values)}"
    return str(schema.get("type", "anything"))


def _bounds(schema: dict[str, Any]) -> str:
    parts = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema]
    if schema.get("default") not in (None, "", [], {}):
        parts.append(f"default `{json.dumps(schema['default'])}`")
    return ", ".join(parts)
