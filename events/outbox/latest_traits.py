"""The latest traits of a user, trait by trait. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from events.json_body import dumps

MAX_TRAITS = 500
TRAITS_BYTES = 64 * 1024  # of one user, as JSON


def merge_traits(
    traits: Mapping[str, Any], times: Mapping[str, str], new: Mapping[str, Any], at: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """Latest value of each trait by the time of its event, so that a late event doesn't overwrite a newer value.

    Args:
        traits: value by name; `times` has the ISO time (UTC) of each.
        new: traits of one identify event that happened at `at`. At equal times the one that arrives later wins.

    Returns:
        The merged values and times, the most recent ones: at most `MAX_TRAITS` names and `TRAITS_BYTES` of JSON.
    """
    values, said = dict(traits), dict(times)
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    for name, value in new.items():
        if said.get(name, "") <= stamp:
            values[name], said[name] = value, stamp
    if len(values) > MAX_TRAITS or len(dumps(values).encode()) > TRAITS_BYTES:
        kept = _latest(values, said)
        values, said = {name: values[name] for name in kept}, {name: said[name] for name in kept}
    return values, said


def _latest(values: Mapping[str, Any], said: Mapping[str, str]) -> list[str]:
    """The most recently sent names, as many as fit."""
    latest, left, kept = sorted(values, key=lambda name: said.get(name, ""), reverse=True), TRAITS_BYTES, list[str]()
    for name in latest[:MAX_TRAITS]:
        left -= len(dumps({name: values[name]}).encode())  # with braces, where the whole text has a comma
        kept += [name] if left >= 0 else []
    return kept
