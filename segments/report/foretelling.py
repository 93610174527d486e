"""What a search for groups would do, in words: name, number and why. Pure."""

from typing import Any

from reporting.words import gettext
from runs.run_times import told_words

type Fact = tuple[str, str, str]


def facts(found: Any) -> tuple[Fact, ...]:
    """Rows of `segments.search.outlook.foretold.Foretold`."""
    rows: list[Fact] = [
        (
            gettext("Users in groups"),
            f"{found.placed:,}",
            gettext("of {count} who signed up").format(count=f"{found.signed_up:,}"),
        )
    ]
    if found.too_young:
        rows.append(
            (gettext("Left out"), f"{found.too_young:,}", gettext("their days of play or of retention aren’t over"))
        )
    if found.quiet:
        rows.append(
            (gettext("No group"), f"{found.quiet:,}", gettext("fewer than three active days; they count in the tiers"))
        )
    unlisted = gettext("{count} rarer events are left out").format(count=found.unlisted) if found.unlisted else ""
    rows.append((gettext("Behaviours"), str(found.behaviours), unlisted))
    rows.append((gettext("Takes"), *told_words(found.takes)))
    return tuple(rows)
