"""Result of verifying a final analysis: a state, and each difference with its code."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST = 20  # differing numbers that are listed; the rest are counted


class State(StrEnum):
    """Outcome of a verification."""

    EQUAL = "equal"
    OLDER_RULES = "older_rules"  # all is as signed; rules changed since then give other numbers
    DIFFERS = "differs"
    GONE = "gone"  # the signature is valid, but the data are no longer stored
    OUTSIDE = "outside"  # valid; the data are in the customer's warehouse, which keeps no versions
    ELSEWHERE = "elsewhere"  # valid; the experiment is another site's
    UNSIGNED = "unsigned"


class MismatchKind(StrEnum):
    """Kinds of differences."""

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
        place: field of the plan, path in the result, or path of a file; "" if the kind suffices.
        signed: the signed value.
        now: the current value.
    """

    kind: MismatchKind
    place: str = ""
    signed: Any = None
    now: Any = None


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        state: the outcome.
        experiment: its key; `analysis` the number of its final analysis.
        findings: every difference; empty unless it differs.
        more: number of further differing numbers.
        reason: code of the reason why the data are gone.
        erased_units: units of this analysis that were erased since.
        key_id: of the signing key, "" without a signature.
        store_version: version of the event store; None without one.
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
