"""Tables as CSV that spreadsheets open as they should. Pure."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# Our own cells begin with a sign too: "+24.1 (+21.3 … +26.9)". A formula may begin like them: "-1+cmd|' /C calc'!A0".
SIGNED = re.compile(r"[+-]\d")
FORMULA = re.compile(r"[=|!@&\"'*^]|[^\W\d_]\(|[+\-/][^\W\d_]")


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file line by line, so that a long one can be sent while it is read."""
    yield "\ufeff"  # without it Excel reads Hangul in the machine's old code page
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row])


def harmless(text: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: names of events come from outside (OWASP, CSV injection)."""
    if not isinstance(text, str) or text[:1] not in ("=", "@", "+", "-", "\t", "\r", "\n"):
        return text
    return text if SIGNED.match(text) and not FORMULA.search(text) else f"'{text}"


class _Echo:
    """Where `csv` writes: it gives each line back."""

    def write(self, value: str) -> str:
        return value
