"""One figure of the audit: what was asked, what is required, what was seen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A row of docs/audit.md.

    Attributes:
        what: the scenario and the quantity, with its unit, for the reader.
        required: the bound in words, such as "at most 5.5 %".
        seen: what was measured, with its number of runs.
        met: whether the bound holds; None for a row that is shown beside the others and promises nothing.
    """

    what: str
    required: str
    seen: str
    met: bool | None


def percent(share: float, digits: int = 1) -> str:
    """A share as people read it."""
    return f"{100 * share:.{digits}f} %"
