"""Time formats of a column: guessed from its values, and shown by an example. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime

ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(?P<zone>Z|UTC|[+-]\d{2}(:?\d{2})?))?)?", re.IGNORECASE
)
UNIX = {  # number of digits for moments between 1990 and 2100
    "unix_s": (631_152_000, 4_102_444_800),
    "unix_ms": (631_152_000_000, 4_102_444_800_000),
    "unix_us": (631_152_000_000_000, 4_102_444_800_000_000),
}
HOURS = ("", " %H:%M", " %H:%M:%S", " %p %I:%M", " %p %I:%M:%S")
DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y. %m. %d",
    "%Y. %m. %d.",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
)
PATTERNS = ("%Y%m%d", "%Y%m%d%H%M%S", *(date + hours for date in DATES for hours in HOURS))
FORMATS = ("iso", *UNIX, *PATTERNS)
ENOUGH = 0.9  # share of the values that a format must read
MOST_VALUES = 200  # strptime takes 10 microseconds, and there may be hundreds of columns
EXAMPLE = datetime(2026, 3, 31, 15, 5, 9)  # noqa: DTZ001 - shown as a wall clock


def format_of(values: Sequence[str]) -> str:
    """The format that reads nearly all of these values; "" when none does.

    A date such as 03/04/2026 is read day first, unless only month first reads all.
    """
    some = [value.strip() for value in values if value.strip()][:MOST_VALUES]
    if not some:
        return ""
    likely = [code for code in _likely(some[0]) if any(reads(code, value) for value in some[:3])]
    shares = {code: sum(reads(code, value) for value in some) / len(some) for code in likely}
    best = max(shares.values(), default=0.0)
    return next((code for code, share in shares.items() if share == best), "") if best >= ENOUGH else ""


def reads(code: str, value: str) -> bool:
    """True when a format reads a value."""
    if code == "iso":
        if not ISO.fullmatch(value):
            return False
        return _parses(value[:10], "%Y-%m-%d")
    if code in UNIX:
        low, high = UNIX[code]
        return bool(re.fullmatch(r"\d{9,17}(\.\d{1,9})?", value)) and low <= float(value) < high
    if "%p" in code:
        value = value.replace("오전", "AM").replace("오후", "PM")
    return _parses(value, code)


def has_zone(values: Sequence[str]) -> bool:
    """True when every ISO value says its time zone itself."""
    found = [ISO.fullmatch(value.strip()) for value in values if value.strip()]
    return bool(found) and all(match and match["zone"] for match in found)


def needs_zone(code: str, values: Sequence[str]) -> bool:
    """True when the time zone of the values can't be determined from the data."""
    return code not in UNIX and not (code == "iso" and has_zone(values))


def is_ambiguous(code: str, values: Sequence[str]) -> bool:
    """True when day and month could be swapped."""
    swapped = code.translate(str.maketrans("dm", "md")) if code.startswith(("%d", "%m")) else ""
    some = [value.strip() for value in values if value.strip()][:MOST_VALUES]
    return bool(swapped) and all(reads(swapped, value) for value in some)


def example(code: str) -> str:
    """31 March 2026, 15:05:09, in one of `PATTERNS`."""
    return EXAMPLE.strftime(code)


def _likely(value: str) -> list[str]:
    """The formats that could match a value of this shape, the simplest first."""
    if value.isdigit() or re.fullmatch(r"\d+\.\d+", value):
        return ["%Y%m%d", "%Y%m%d%H%M%S", *UNIX] if value.isdigit() else [*UNIX, "%Y.%m.%d"]
    if not re.search(r"\d", value):
        return []
    return ["iso", *(code for code in PATTERNS if not code.startswith("%Y%m%d"))]


def _parses(value: str, pattern: str) -> bool:
    try:
        year = datetime.strptime(value, pattern).year  # noqa: DTZ007 - only its shape is asked for
    except ValueError:
        return False
    return 1900 <= year < 2200
