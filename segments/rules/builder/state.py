"""The form of a rule between two requests: as rows or as text, each made from the other when a person changes. Pure."""

import json
from dataclasses import dataclass, replace

from reporting.words import Message, say
from runs.refusals import Refused
from segments.rules.builder.actions import act
from segments.rules.builder.checked import Checked, Mistake, check
from segments.rules.builder.hints import hints
from segments.rules.builder.known_values import Known
from segments.rules.builder.place_words import in_words
from segments.rules.builder.posted_rows import Posted, read_rows
from segments.rules.builder.typed import NotShown, Path, TypedCondition, TypedGroup, rows_of
from segments.rules.parsing import SUBJECTS, parse_rule
from segments.rules.records import Rule, to_document

ROWS, TEXT = "rows", "text"
LONGEST_TEXT = 50_000
START = TypedGroup("all", (TypedCondition(),))


@dataclass(frozen=True)
class State:
    """What the form holds.

    Attributes:
        mode: ``rows`` or ``text``.
        rows: the conditions; unused in ``text``.
        text: the document as it was typed; unused in ``rows``.
        wrong: what is wrong with the text.
        closed: the text with the brackets closed that it leaves open, where that is all that is wrong; else "".
        focus: the row that the keyboard goes to.
        button: the button of that row which was pressed.
        said: of a change, to whoever can't see it.
    """

    mode: str = ROWS
    rows: TypedGroup = START
    text: str = ""
    wrong: Message | None = None
    closed: str = ""
    focus: Path | None = None
    button: str = ""
    said: Message | None = None

    @property
    def is_fresh(self) -> bool:
        """True while nobody has picked anything: then nothing is missing yet."""
        match self.rows.parts:
            case (TypedCondition(name="", typed="", values=()),):
                return self.mode == ROWS
        return False

    @property
    def checked(self) -> Checked:
        """The rule, or what is missing; only of ``rows``."""
        return check(self.rows)

    @property
    def rule(self) -> Rule | None:
        """The rule, None where something is missing or wrong."""
        if self.mode == ROWS:
            return self.checked.rule
        try:
            return read_text(self.text)
        except Refused:
            return None

    def mistakes(self, known: Known, *, missing: bool = True) -> tuple[Mistake, ...]:
        """What is wrong with the rows, unknown names included; without `missing` not what is still empty."""
        found = (*self.checked.mistakes, *hints(self.rows, known)) if self.mode == ROWS else ()
        return tuple(each for each in found if missing or not each.missing)


def state_of_text(text: str, *, mode: str = ROWS) -> State:
    """A rule that a link or a version brings, as rows where these can hold it."""
    try:
        return State(mode, rows=rows_of(read_text(text)), text=text)
    except NotShown as part:
        return State(TEXT, text=text, wrong=part.message)
    except Refused as refusal:
        return State(TEXT, text=text, wrong=refusal.message, closed=closed(text))


def read_state(posted: Posted) -> State:
    """The posted form after its button."""
    line = (posted.get("do") or ("",))[-1]
    text = (posted.get("text") or ("",))[-1]
    if (posted.get("as") or ("",))[-1] == TEXT:
        if line == "as rows":
            return state_of_text(text)
        return _text_state(closed(text) or text if line == "close" else text)
    rows = read_rows(posted)
    if line == "as text":
        rule = check(rows).rule
        if rule is None:
            return State(
                rows=rows, said=say("Fill in the conditions first: a rule with gaps can’t be written as text.")
            )
        return State(TEXT, rows, json.dumps(to_document(rule), ensure_ascii=False, indent=2))
    changed = act(rows, line)
    return State(rows=changed.rows, focus=changed.focus, button=line.partition(" ")[0], said=changed.said)


def _text_state(text: str) -> State:
    state = State(TEXT, text=text)
    try:
        read_text(text)
    except Refused as refusal:
        return replace(state, wrong=refusal.message, closed=closed(text))
    return state


def read_text(text: str) -> Rule:
    """A rule from its text. One condition alone is taken as a rule of one condition.

    Raises:
        Refused: no JSON, or no rule; it names the part as the form numbers it.
    """
    if len(text) > LONGEST_TEXT:
        raise Refused("This text is longer than {most:,} characters.", most=LONGEST_TEXT)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused("This is no JSON: line {line}, column {column}.", line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        raise Refused("This is no JSON that can be read here.") from None
    if isinstance(document, dict) and any(subject in document for subject in SUBJECTS):
        document = {"all": [document]}
    try:
        return parse_rule(document)
    except Refused as refusal:
        raise Refused(in_words(refusal, document)) from None


def closed(text: str) -> str:
    """The text with the brackets that it leaves open closed, when it is a rule then; else ""."""
    open_ones, inside, escaped = [], False, False
    for letter in text[:LONGEST_TEXT]:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "{[":
            open_ones.append("}" if letter == "{" else "]")
        elif letter in "}]" and open_ones:
            open_ones.pop()
    found = text + "".join(reversed(open_ones))
    try:
        read_text(found)
    except Refused:
        return ""
    return found if open_ones else ""
