"""Metrics as YAML, in a fixed order; YAML of strangers as plain nodes, without anchors, tags or code. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from events.metrics.facts import HIGHER, About, Facts, checked, checked_about, is_key
from reporting.words import Message, say
from runs.refusals import Refused

# Parse untrusted YAML into plain nodes with line numbers: no anchors, no tags, limited depth, no code. Pure.
#
# A file of a few bytes can expand to gigabytes (aliases of aliases), and a tag can name a class. So parser events are
# checked before anything is built, and values stay the texts that were written.

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
        document = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as trouble:
        mark = getattr(trouble, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        what = " ".join(str(getattr(trouble, "problem", None) or "unreadable characters").split())
        raise BadYamlError(line, say("no YAML: {what}", what=what)) from None
    return None if document is None else _node(document)


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
        return Items(line, tuple(_node(item) for item in node.value))
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


# Read and write metrics as YAML: in a fixed order, and reading returns what was written. Pure.

STATES = (DRAFT, CERTIFIED, DEPRECATED) = ("draft", "certified", "deprecated")
TEXTS = ("key", "definition", "cap", "direction", "margin", "unit", "owner", "description", "status", "certified")
FIELDS = (*TEXTS, "name", "tags")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
ODD_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
MOST_METRICS = 2_000
HEAD = "# Metrics of Insight. `manage.py metrics import --check` says what this file would change.\n"


class _Dumper(yaml.SafeDumper):
    """YAML dumper for plain values; unusual line breaks are escaped, since a reader would fold them into blanks."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Quote a text that contains such characters."""
        style = '"' if ODD_BREAKS.search(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


@dataclass(frozen=True)
class Entry:
    """One metric of a file.

    Attributes:
        key: of the metric.
        about, facts: checked.
        status: draft, certified or deprecated. A metric certified with another definition is a draft.
        place: "file:3", for error messages.
    """

    key: str
    about: About
    facts: Facts
    status: str
    place: str = ""


class WrongFileError(Exception):
    """All errors of a file, one sentence each."""

    def __init__(self, mistakes: list[Refused]) -> None:
        self.mistakes = mistakes
        super().__init__(str(len(mistakes)))


def write(entries: Iterable[Entry]) -> str:
    """Write metrics to YAML, ordered by key, without empty fields."""
    listed = [_document(entry) for entry in sorted(entries, key=lambda entry: entry.key)]
    body = yaml.dump({"metrics": listed}, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100, indent=2)
    return HEAD + str(body)


def read(data: bytes, name: str) -> list[Entry]:
    """The metrics of a file.

    Args:
        data: its bytes.
        name: of the file, for error messages.

    Raises:
        WrongFileError: with one sentence for each error.
    """
    try:
        document = read_nodes(data)
    except BadYamlError as trouble:
        raise WrongFileError([_at(name, trouble.line, trouble.why)]) from None
    reader = _Reader(name)
    entries = reader.metrics(document)
    if reader.mistakes:
        raise WrongFileError(reader.mistakes)
    return entries


def _document(entry: Entry) -> dict[str, Any]:
    about, facts = entry.about, entry.facts
    name = {"en": about.name_en, **({"ko": about.name_ko} if about.name_ko else {})}
    fields: dict[str, Any] = {
        "key": entry.key,
        "name": name,
        "description": about.description,
        "definition": facts.definition,
        "cap": facts.cap,
        "direction": facts.direction,
        "margin": facts.margin,
        "unit": about.unit,
        "owner": about.owner,
        "tags": list(about.tags),
        "status": entry.status,
        "certified": facts.hash if entry.status == CERTIFIED else "",
    }
    return {name: value for name, value in fields.items() if value not in ("", None, [])}


class _Reader:
    """Reads entries and continues after an error, so that a person can fix all of them at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mistakes: list[Refused] = []

    def metrics(self, found: Node | None) -> list[Entry]:
        listed = self._list(found)
        entries: list[Entry] = []
        lines: dict[str, int] = {}
        for node in listed[:MOST_METRICS]:
            entry = self._entry(node)
            if entry is None:
                continue
            if entry.key in lines:
                why = say("the key stands in line {line} already", line=lines[entry.key])
                self._wrong(node.line, why, entry.key, "key")
            lines.setdefault(entry.key, node.line)
            entries.append(entry)
        if len(listed) > MOST_METRICS:
            self._wrong(listed[MOST_METRICS].line, say("a file has at most {most} metrics", most=MOST_METRICS))
        return entries

    def _list(self, document: Node | None) -> tuple[Node, ...]:
        if document is None:
            return ()
        fields = {name.value: value for name, value in document.fields} if isinstance(document, Fields) else {}
        listed = fields.get("metrics")
        for name in fields.keys() - {"metrics"}:
            self._wrong(document.line, say("the file has an unknown field {field}", field=repr(name)))
        if isinstance(listed, Text) and listed.value is None:
            return ()
        if not isinstance(listed, Items):
            self._wrong(document.line, say("the file needs the field metrics with a list"))
            return ()
        return listed.items

    def _entry(self, node: Node) -> Entry | None:
        before = len(self.mistakes)
        if not isinstance(node, Fields):
            self._wrong(node.line, say("a metric is a list of fields"))
            return None
        fields = {str(name.value): (name.line, value) for name, value in node.fields}
        key = self._text(fields, "key", "")
        if not is_key(key):
            why = say("a key has small letters, digits, dots, dashes and underscores, at most 64")
            self._wrong(fields.get("key", (node.line,))[0], why, key, "key")
        for name in fields.keys() - set(FIELDS):
            self._wrong(fields[name][0], say("there is no such field"), key, name)
        texts = {name: self._text(fields, name, key) for name in TEXTS}
        names, tags = self._names(fields, key, node.line), self._tags(fields, key)
        margin = self._margin(fields, texts["margin"], key)
        if not texts["definition"]:
            self._wrong(fields.get("definition", (node.line,))[0], say("it needs a definition"), key, "definition")
        if len(self.mistakes) > before:
            return None
        about = About(*names, texts["description"], texts["owner"], tags, texts["unit"])
        facts = Facts(texts["definition"], texts["cap"], texts["direction"] or HIGHER, margin)
        try:
            about, facts = checked_about(about), checked(facts)
            status = _status(texts["status"], texts["certified"], facts)
        except Refused as refusal:
            field = "name" if refusal.at.startswith("name_") else refusal.at
            self._wrong(fields.get(field, (node.line,))[0], refusal.message, key, field)
            return None
        return Entry(key, about, facts, status, _place(self.name, node.line))

    def _names(self, fields: dict[str, tuple[int, Node]], key: str, beginning: int) -> tuple[str, str]:
        line, node = fields.get("name", (beginning, None))
        if isinstance(node, Text) and node.value:
            return node.value, ""
        if not isinstance(node, Fields):
            self._wrong(line, say("it needs a name: one text, or en and ko"), key, "name")
            return "", ""
        by_language = {str(name.value): value for name, value in node.fields}
        if by_language.keys() - {"en", "ko"} or not all(isinstance(value, Text) for value in by_language.values()):
            self._wrong(line, say("a name has the fields en and ko, each a text"), key, "name")
            return "", ""
        english, korean = (getattr(by_language.get(language), "value", None) or "" for language in ("en", "ko"))
        return english, korean

    def _tags(self, fields: dict[str, tuple[int, Node]], key: str) -> tuple[str, ...]:
        line, node = fields.get("tags", (0, None))
        if node is None or (isinstance(node, Text) and node.value is None):
            return ()
        if not isinstance(node, Items) or not all(isinstance(item, Text) and item.value for item in node.items):
            self._wrong(line, say("tags are a list of texts"), key, "tags")
            return ()
        return tuple(str(item.value) for item in node.items if isinstance(item, Text))

    def _text(self, fields: dict[str, tuple[int, Node]], name: str, key: str) -> str:
        line, node = fields.get(name, (0, Text(0, None)))
        if not isinstance(node, Text):
            self._wrong(line, say("it is a single text"), key, name)
            return ""
        return node.value or ""

    def _margin(self, fields: dict[str, tuple[int, Node]], text: str, key: str) -> float | None:
        if not text:
            return None
        if not NUMBER.fullmatch(text):
            self._wrong(fields["margin"][0], say("a margin is a number, not '{given}'", given=text[:60]), key, "margin")
            return None
        return float(text)

    def _wrong(self, line: int, why: Message, key: str = "", field: str = "") -> None:
        self.mistakes.append(_at(self.name, line, why, key, field))


def _status(given: str, certified: str, facts: Facts) -> str:
    """The status that the file gives for this definition; a certificate for another definition makes it a draft.

    Raises:
        Refused: an unknown state, or a certified one without the hash of what was certified.
    """
    status = given or DRAFT
    if status not in STATES:
        raise Refused("a status is draft, certified or deprecated, not '{given}'", given=status[:60], at="status")
    if status == CERTIFIED and not certified:
        raise Refused(
            "a certified metric says in the field certified which definition was: {hash} is this one",
            hash=facts.hash,
            at="certified",
        )
    return DRAFT if status == CERTIFIED and certified != facts.hash else status


def _place(name: str, line: int) -> str:
    return f"{name}:{line}"


def _at(name: str, line: int, why: Message, key: str = "", field: str = "") -> Refused:
    """An error with file and line, and with key and field if known."""
    if key and field:
        return Refused(
            "{file}, line {line}, metric {key}, field {field}: {why}",
            file=name,
            line=line,
            key=key,
            field=field,
            why=why,
        )
    if field:
        return Refused("{file}, line {line}, field {field}: {why}", file=name, line=line, field=field, why=why)
    return Refused("{file}, line {line}: {why}", file=name, line=line, why=why)
