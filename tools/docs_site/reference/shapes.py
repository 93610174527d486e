"""JSON Schema in words: what a value may be, and a table of an object's fields. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tools.docs_site.reference.markdown import cell, code, table

type Schema = Mapping[str, Any]
FORMATS = {"date-time": "time", "date": "date", "uuid": "uuid", "uri": "address", "email": "e-mail", "double": "number"}
WORDS = {"string": "text", "null": "null", "integer": "whole number", "boolean": "true or false", "object": "object"}
LIMITS = (
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("maxLength", "characters at most"),
    ("maxItems", "entries at most"),
)


def kind(schema: Schema, link: Callable[[str], str]) -> str:
    """What a value may be, in words; `link` writes the name of another schema."""
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(kind(one, link) for one in schema[key]))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(value) if value != "" else "empty" for value in schema["enum"])
    types: Any = schema.get("type", "any JSON value")
    if isinstance(types, list):
        return " or ".join(kind({**schema, "type": one}, link) if one != "null" else "null" for one in types)
    if types == "array":
        return _list(schema, link)
    if types == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind(schema['additionalProperties'], link)} by name"
    return str(FORMATS.get(schema.get("format", ""), WORDS.get(types, types)))


def _list(schema: Schema, link: Callable[[str], str]) -> str:
    if "prefixItems" in schema:
        return f"list of {', '.join(kind(one, link) for one in schema['prefixItems'])}"
    inner = kind(schema.get("items") or {}, link)
    return f"list of {inner}" if inner else "list"


def fields(schema: Schema, link: Callable[[str], str], meanings: Mapping[str, str] | None = None) -> str:
    """A table of an object's fields; `meanings` describes those without a description in the schema."""
    required = set(schema.get("required", ()))
    rows = []
    for name, inner in schema.get("properties", {}).items():
        title = inner.get("title", "")
        named = title if title.casefold() != name.replace("_", " ") else ""  # as pydantic derives one from the name
        said = (meanings or {}).get(name) or inner.get("description") or named
        limits = "; ".join(f"{words} {inner[key]}" for key, words in LIMITS if key in inner)
        meaning = "; ".join(filter(None, (cell(said), limits)))
        rows.append((code(name), kind(inner, link), "yes" if name in required else "no", meaning))
    return table(("field", "type", "always there", "meaning"), rows)


def attributes(docstring: str) -> tuple[str, dict[str, str]]:
    """A record's docstring: its first paragraph, and the description of each attribute."""
    head, _, listed = docstring.partition("Attributes:")
    found: dict[str, str] = {}
    for names, meaning in _entries(listed):
        found |= {name.strip(): meaning for name in names.split(",")}
    return " ".join(head.split()), found


def _entries(listed: str) -> Iterator[tuple[str, str]]:
    """Split attribute lines: an indent of four begins one or more attributes, a deeper one continues the description."""
    for entry in re.split(r"\n {4}(?=\S)", listed.rstrip()):
        names, colon, meaning = entry.strip().partition(":")
        if colon and re.fullmatch(r"[\w, ]+", names):
            yield names, " ".join(meaning.split())
