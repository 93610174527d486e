"""Names of segments and features for people. Pure: models use them, too."""

from collections.abc import Sequence

from events.metrics import display_name
from reporting.words import gettext

PATTERN_WORDS = 2  # of a profile's three: more would not fit beside a name


def title_of(name: str, key: str, pattern: Sequence[Sequence[str]] | None) -> str:
    """The segment's name, or its key and distinctive behaviours: ``g1 · more battle, less craft``."""
    words = pattern_words(pattern)
    return name or (f"{key} · {words}" if words else key)


def pattern_words(pattern: Sequence[Sequence[str]] | None) -> str:
    """Distinctive behaviours, for example ``more battle, less craft``; "" without a pattern."""
    pairs = [(str(pair[0]), str(pair[1])) for pair in (pattern or ())[:PATTERN_WORDS] if len(pair) == 2]
    return play_words(pairs) if pairs else ""


def play_words(name: Sequence[tuple[str, str]]) -> str:
    """What stands out in a group, for example ``more arena, less build``."""
    texts = {"more": gettext("more %(what)s"), "less": gettext("less %(what)s")}  # segments.search.profiles.Direction
    phrases = [texts[str(direction)] % {"what": feature_name(what)} for what, direction in name]
    return ", ".join(phrases) if phrases else gettext("nothing stands out")


def feature_name(name: str) -> str:
    """Display name of a feature; behaviours keep their own name."""
    known = {
        "active_days": gettext("active days"),
        "sessions_per_day": gettext("sessions per active day"),
        "tenure": gettext("days since the first activity"),
        "recency": gettext("days since the last activity"),
    }
    return known.get(name) or display_name(name)
