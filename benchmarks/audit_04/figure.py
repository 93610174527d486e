"""One figure of the audit: what was asked, what is required, what was seen."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Figure:
    """A row of docs/audit_04.md; `met` is None for a row that is shown beside the others and promises nothing."""

    what: str
    required: str
    seen: str
    met: bool | None = None


def shown(what: str, seen: str) -> Figure:
    return Figure(what, "shown", seen)


def at_most(what: str, bound: float, share: float, of: str, required: str = "") -> Figure:
    """A share that may not exceed its bound; `of` says of how many runs."""
    return Figure(what, required or f"at most {percent(bound)}", f"{percent(share)} of {of}", bool(share <= bound))


def at_least(what: str, bound: float, share: float, of: str, required: str = "") -> Figure:
    return Figure(what, required or f"at least {percent(bound)}", f"{percent(share)} of {of}", bool(share >= bound))


def two_errors(share: float, runs: int) -> float:
    """By so much luck may move the share of a binomial law."""
    return 2 * sqrt(share * (1 - share) / runs)


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"
