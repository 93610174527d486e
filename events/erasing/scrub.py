"""Replace the ids of erased users in other records by a placeholder. Pure.

A value counts when it *is* the id, not when it contains it: ``{"invited": "u7"}`` is about u7, ``{"note": "u7 came"}``
is a text that somebody wrote. Numbers stay, since a count may be any number. In plain text an id must be delimited by
characters other than letters, digits and underscores.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

ERASED = "[erased]"
WORDS = re.compile(r"\w")
STRUCTURE = re.compile(r"[\s:,\[\]{}]")  # what stands between two texts of JSON begins with one of these


class Scrub:
    """The ids to look for; their number may be large, since each value of a text costs one look-up."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)
        # Their JSON forms, with and without escapes for non-ASCII characters.
        forms = {json.dumps(name, ensure_ascii=plain)[1:-1]: name for name in self.ids for plain in (True, False)}
        self._odd = {form for form in forms if '"' in form or "\\" in form or STRUCTURE.match(form)}
        self._forms = frozenset(forms) - self._odd

    def json_text(self, text: str) -> str:
        """A JSON text, complete or cut off, with these ids erased; the same object when it has none."""
        hits = self._forms.intersection(text.split('"'))
        for form in hits:
            text = text.replace(f'"{form}"', f'"{ERASED}"')
        if self._odd and any(f'"{form}"' in text for form in self._odd):
            return self._parsed(text)
        return text

    def _parsed(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return text
        scrubbed = self.value(value)
        return text if scrubbed == value else json.dumps(scrubbed, ensure_ascii=False)

    def value(self, value: Any) -> Any:
        """A value of a JSON column with these ids erased in its texts; keys are our own names."""
        if isinstance(value, str):
            return ERASED if value in self.ids else value
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {name: self.value(one) for name, one in value.items()}
        return value

    def plain(self, text: str) -> str:
        """A plain text, written by a person or a program, with these ids erased."""
        for name in self.ids:
            if name in text:
                before, after = (r"(?<!\w)" if WORDS.match(name) else ""), (r"(?!\w)" if WORDS.match(name[-1]) else "")
                text = re.sub(f"{before}{re.escape(name)}{after}", ERASED, text)
        return text
