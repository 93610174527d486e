"""Parse untrusted YAML into plain nodes with line numbers: no anchors, no tags, limited depth, no code. Pure.

A file of a few bytes can expand to gigabytes (aliases of aliases), and a tag can name a class. So parser events are
checked before anything is built, and values stay the texts that were written.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from reporting.words import Message, say

LARGEST_FILE = 1_000_000
DEEPEST = 6
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
)
NULL = "tag:yaml.org,2002:null"


class BadYamlError(Exception):
    """A YAML error of a file, and its line (from 1)."""

    def __init__(self, line: int, why: Message) -> None:
        self.line, self.why = line, why
        super().__init__(why.text)


@dataclass(frozen=True)
class Text:
    """A single value as it was written; None for an empty one."""

    line: int
    value: str | None


@dataclass(frozen=True)
class Items:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Fields:
    """Names with values, each name once."""

    line: int
    fields: tuple[tuple[Text, "Node"], ...]


type Node = Text | Items | Fields


def read_nodes(data: bytes) -> Node | None:
    """The one document of a file; None for an empty file.

    Raises:
        BadYamlError: it is too large or too deep, no UTF-8, no YAML, or has anchors, tags or several documents.
    """
    if len(data) > LARGEST_FILE:
        raise BadYamlError(1, say("the file has more than {most} bytes", most=LARGEST_FILE))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        line = data[: trouble.start].count(b"\n") + 1
        raise BadYamlError(line, say("the file isn't UTF-8")) from None
    try:
        _look_ahead(text)
        found = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as trouble:
        mark = getattr(trouble, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        what = " ".join(str(getattr(trouble, "problem", None) or "unreadable characters").split())
        raise BadYamlError(line, say("no YAML: {what}", what=what)) from None
    return None if found is None else _node(found)


def _look_ahead(text: str) -> None:
    """Refuse YAML that could expand or execute, before a tree is built of it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=Loader):
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise BadYamlError(line, say("anchors and aliases (& and *) aren't taken"))
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag not in TAGS:
            raise BadYamlError(line, say("tags (!) aren't taken"))
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BadYamlError(line, say("a file has one document, without further --- lines"))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise BadYamlError(line, say("lists and fields lie deeper than {most} levels", most=DEEPEST))


def _node(node: Any) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return Items(line, tuple(_node(one) for one in node.value))
    if isinstance(node, yaml.MappingNode):
        return Fields(line, tuple(_field(name, value) for name, value in _each_once(node)))
    return Text(line, None if node.tag == NULL else node.value)


def _each_once(node: Any) -> list[tuple[Any, Any]]:
    seen: set[str] = set()
    for name, _value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            raise BadYamlError(line, say("the name of a field is a single word"))
        if name.value in seen:
            raise BadYamlError(line, say("the field {field} stands twice", field=repr(name.value)))
        seen.add(name.value)
    return list(node.value)


def _field(name: Any, value: Any) -> tuple[Text, Node]:
    return Text(name.start_mark.line + 1, name.value), _node(value)
