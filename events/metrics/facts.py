"""The decisive fields of a metric version: definition, cap, direction, margin; and how they are parsed. Pure."""

import hashlib
import json
import re
from dataclasses import dataclass
from math import isfinite

from events.metrics import Metric as Definition
from events.metrics import Ratio, is_display_only, parse_metric
from events.metrics.exposures import refuse_exposures
from events.metrics.line import LONGEST_LINE
from runs.refusals import Refused

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
        told = [self.definition, self.cap, self.direction, None if self.margin is None else float(self.margin)]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()

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
            "A cap is a number or a share of units, such as 100 or 99.9%, not '{given}'.", given=facts.cap, at="cap"
        )
    if facts.cap and isinstance(definition, Ratio):  # in front of a ratio the cap would apply to the numerator only
        raise Refused("A ratio has no cap of its own: write it into the definition, before what is cut.", at="cap")
    if facts.direction not in DIRECTIONS:
        raise Refused("The direction is higher or lower, not '{given}'.", given=facts.direction, at="direction")
    if facts.margin is not None and not (isfinite(facts.margin) and facts.margin > 0):
        raise Refused("A margin is a number above 0, not {given}.", given=facts.margin, at="margin")
    found = Facts(str(definition), facts.cap, facts.direction, None if facts.margin is None else float(facts.margin))
    try:
        line = found.line
    except Refused as refusal:
        raise Refused(refusal.message, at="cap") from None
    if len(line) > LONGEST_LINE:
        raise Refused("The definition is longer than {most} characters.", most=LONGEST_LINE, at="definition")
    return found


def reference(text: str) -> tuple[str, int | None] | None:
    """Parse ``metric:KEY`` or ``metric:KEY@2`` into key and version; None for any other text."""
    found = REFERENCE.fullmatch(text.strip())
    if found is None:
        return None
    return found["key"], None if found["version"] is None else int(found["version"])
