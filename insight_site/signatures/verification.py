"""What a check of a final analysis found: a state, and each difference with its code."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST = 20  # differing numbers that are listed; the rest is counted


class State(StrEnum):
    """How a check ended."""

    EQUAL = "equal"
    OLDER_RULES = "older_rules"  # all is as it was signed; rules that have changed since give other numbers
    DIFFERS = "differs"
    GONE = "gone"  # the signature holds, and the data may not be kept any more
    OUTSIDE = "outside"  # it holds; the data lie in a warehouse of the customer's own, which keeps no versions
    ELSEWHERE = "elsewhere"  # it holds; the experiment is another site's
    UNSIGNED = "unsigned"


class MismatchKind(StrEnum):
    """What differs."""

    SIGNATURE = "signature"
    UNKNOWN_KEY = "unknown_key"
    RESULT = "result"
    UNREADABLE = "unreadable"
    PLAN_TEXT = "plan_text"
    PLAN = "plan"
    VERSION = "version"
    FILE = "file"
    DATA = "data"
    NUMBER = "number"
    FAILED = "failed"


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    Attributes:
        kind: which.
        place: field of the plan, path in the result, or path of a file; "" where the kind says it all.
        signed: the value that was signed.
        now: the value that was found or computed.
    """

    kind: MismatchKind
    place: str = ""
    signed: Any = None
    now: Any = None


@dataclass(frozen=True)
class Verification:
    """The answer.

    Attributes:
        state: how it ended.
        experiment: its key; `analysis` the number of its final analysis.
        findings: every difference; empty unless it differs.
        more: how many further numbers differ.
        reason: code of why the data are gone.
        erased_units: units of this analysis that were erased since.
        key_id: that signed, "" without a signature.
        store_version: that was read; None where there is none.
        software: libraries whose versions differ here, with both.
    """

    state: State
    experiment: str
    analysis: int
    findings: tuple[Mismatch, ...] = ()
    more: int = 0
    reason: str = ""
    erased_units: int = 0
    key_id: str = ""
    store_version: int | None = None
    software: dict[str, tuple[str, str]] = field(default_factory=dict)
