"""`NotComputable`: the value of a number that can't be computed, with the reason."""

from dataclasses import dataclass
from typing import Any

KEY = "not_computable"


@dataclass(frozen=True)
class NotComputable:
    """Why there is no number."""

    reason: str

    def __bool__(self) -> bool:
        """Always False, so that `if number` doesn't take a reason for a result."""
        return False


type Number = float | NotComputable


def computable(value: Any) -> bool:
    """Whether a field holds a result."""
    return not isinstance(value, NotComputable)


def read(value: Any) -> Any:
    """A JSON value of the site, or `NotComputable` if it stands for a missing number."""
    if isinstance(value, dict) and value.keys() == {KEY}:
        return NotComputable(str(value[KEY]))
    return value


def read_number(value: Any, otherwise: str) -> Number:
    """A number, or `NotComputable` with the site's reason; with neither, `otherwise`."""
    found = read(value)
    if isinstance(found, NotComputable):
        return found
    if isinstance(found, bool) or not isinstance(found, int | float):
        return NotComputable(otherwise)
    return float(found)
