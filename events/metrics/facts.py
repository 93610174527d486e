"""What a version of a metric fixes, what people say of it beside, and why it can't count exposures. Pure."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from events.metrics import Metric as Definition
from events.metrics import Ratio, is_display_only, parse_metric
from events.metrics.definitions import LONGEST_LINE, unescape
from events.schema import EXPOSURE_EVENTS
from reporting.words import say
from runs.refusals import Refused

# Exposures must not be used as behaviours: later outcomes by exposed arm are exactly what is locked. Pure.

_NAMES = tuple(name.casefold() for name in EXPOSURE_EVENTS)


def counts_exposures(*given: object) -> bool:
    """Whether a definition counts exposures.

    Args:
        given: texts, or lists and objects of them, that define behaviours, outcomes, start events or segments.
    """
    return any(name in unescape(text).casefold() for text in texts_in(given) for name in _NAMES)


def refuse_exposures(*given: object, at: str = "") -> None:
    """Refuse definitions that count exposures.

    Args:
        given: as for `counts_exposures`.
        at: the option or field named in the refusal.

    Raises:
        Refused: one of them does.
    """
    if counts_exposures(*given):
        raise Refused(
            "Exposures can't be counted here: an experiment's groups are compared by its own analysis.", at=at
        )


def texts_in(value: object) -> Iterator[str]:
    """Every text in nested lists and objects, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


# Descriptive fields of a metric, apart from its definition: names, description, owner, tags, unit. Pure.

MOST_TAGS, LONGEST_TAG = 20, 40
# Maximum length of each field, as in its column.
LONGEST = {"name_en": 80, "name_ko": 80, "description": 1000, "owner": 150, "unit": 40}


@dataclass(frozen=True)
class About:
    """Descriptive fields: they don't affect results, so changing them makes no new version.

    Attributes:
        name_en, name_ko: display names; the Korean one may be empty.
        description: what it is for, and what it isn't.
        owner: a team, or a person's account.
        tags: each once, in order.
        unit: of the number, such as KRW; empty for a share or a plain number.
    """

    name_en: str
    name_ko: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = field(default=())
    unit: str = ""


def checked_about(about: About) -> About:
    """The fields with surrounding blanks removed, and tags without repeats in order.

    Raises:
        Refused: `at` names the field.
    """
    texts = {name: getattr(about, name).strip() for name in LONGEST}
    for name, text in texts.items():
        if len(text) > LONGEST[name]:
            raise Refused("It has {n} characters; at most {most} are stored.", n=len(text), most=LONGEST[name], at=name)
        if "\x00" in text:
            raise Refused("It holds a character that no text has.", at=name)
    if not texts["name_en"]:
        raise Refused("A metric needs a name in English.", at="name_en")
    return About(**texts, tags=checked_tags(about.tags))


def checked_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Tags in lower case, without repeats, in order.

    Raises:
        Refused: too many, too long, or with a comma inside.
    """
    cleaned = tuple(sorted({tag.strip().casefold() for tag in tags if tag.strip()}))
    wrong = next((tag for tag in cleaned if len(tag) > LONGEST_TAG or "," in tag or "\x00" in tag), None)
    if wrong is not None:
        why = say("A tag has at most {most} characters and no comma, not '{tag}'.", most=LONGEST_TAG, tag=wrong[:60])
        raise Refused(why, at="tags")
    if len(cleaned) > MOST_TAGS:
        raise Refused("A metric has at most {most} tags.", most=MOST_TAGS, at="tags")
    return cleaned


# The decisive fields of a metric version: definition, cap, direction, margin; and how they are parsed. Pure.

HIGHER, LOWER = "higher", "lower"
DIRECTIONS = (HIGHER, LOWER)
KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RESERVED = frozenset({"new", "checks"})  # URLs of pages beside those of metrics
REFERENCE = re.compile(r"metric:(?P<key>[a-z0-9][a-z0-9._-]{0,63})(?:@(?P<version>[1-9]\d{0,8}))?")
CAP = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?%?", re.ASCII)


@dataclass(frozen=True)
class Facts:
    """The fields that are certified and that a plan copies.

    Attributes:
        definition: in the text form that `events.metrics.parse_metric` reads.
        cap: of a number per unit: a number, or a share of units such as 99.9%; "" for none.
        direction: which way is better, `higher` or `lower`.
        margin: as a guardrail, a loss of this size or more is harm; in the metric's own unit, above 0; None for none.
    """

    definition: str
    cap: str = ""
    direction: str = HIGHER
    margin: float | None = None

    @property
    def line(self) -> str:
        """The definition with its cap as one line, as plans store it.

        Raises:
            Refused: it is invalid.
        """
        return str(parse_metric(self._whole))

    @property
    def hash(self) -> str:
        """A hash of the fields as 64 hexadecimal digits."""
        fields = [self.definition, self.cap, self.direction, None if self.margin is None else float(self.margin)]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()

    def read(self) -> Definition:
        """The parsed definition with its cap.

        Raises:
            Refused: it can't be read.
        """
        return parse_metric(self._whole)

    @property
    def _whole(self) -> str:
        return f"capped:{self.cap}:{self.definition}" if self.cap else self.definition


def is_key(text: str) -> bool:
    """True for a valid key of a metric."""
    return KEY.fullmatch(text) is not None and text not in RESERVED


def checked(facts: Facts) -> Facts:
    """The fields with the definition as `str()` writes it, so that one definition has one hash.

    Raises:
        Refused: `at` names the field.
    """
    try:
        definition = parse_metric(facts.definition)
    except Refused as refusal:
        raise Refused(refusal.message, at="definition") from None
    refuse_exposures(facts.definition, at="definition")
    if is_display_only(definition):
        raise Refused("This retention grows as the data age, so nothing can be judged by it.", at="definition")
    if facts.cap and not CAP.fullmatch(facts.cap):
        raise Refused(
            "A cap is a number or a share of users, such as 100 or 99.9%, not '{given}'.", given=facts.cap, at="cap"
        )
    if facts.cap and isinstance(definition, Ratio):  # in front of a ratio the cap would apply to the numerator only
        raise Refused("A ratio has no cap of its own: write it into the definition, before what is cut.", at="cap")
    if facts.direction not in DIRECTIONS:
        raise Refused("The direction is higher or lower, not '{given}'.", given=facts.direction, at="direction")
    if facts.margin is not None and not (isfinite(facts.margin) and facts.margin > 0):
        raise Refused("A margin is a number above 0, not {given}.", given=facts.margin, at="margin")
    cleaned = Facts(str(definition), facts.cap, facts.direction, None if facts.margin is None else float(facts.margin))
    try:
        line = cleaned.line
    except Refused as refusal:
        raise Refused(refusal.message, at="cap") from None
    if len(line) > LONGEST_LINE:
        raise Refused("The definition is longer than {most} characters.", most=LONGEST_LINE, at="definition")
    return cleaned


def reference(text: str) -> tuple[str, int | None] | None:
    """Parse ``metric:KEY`` or ``metric:KEY@2`` into key and version; None for any other text."""
    matched = REFERENCE.fullmatch(text.strip())
    if matched is None:
        return None
    return matched["key"], None if matched["version"] is None else int(matched["version"])
