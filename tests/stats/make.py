"""Builders and one unwrapping helper of the statistics tests."""

from stats.results import NotComputable


def computed[T](value: T | NotComputable) -> T:
    """The result, or a failure that names the reason."""
    if isinstance(value, NotComputable):
        raise AssertionError(f"not computable: {value}")
    return value
