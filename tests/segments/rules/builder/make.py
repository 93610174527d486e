"""Rules of every shape that the language knows, and a form as a browser would post it."""

import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import strategies as st

from segments.rules.records import FEATURES, MAX_DAYS

# What a field of a page can hold: no empty text, nothing invisible.
names = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())
numbers = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
scalars = names | st.booleans() | numbers


def _escaped(text: str) -> str:
    return re.sub(r"([\\:\[\]#=/])", r"\\\1", text)


def _behaviour(event: str, where: tuple[str, str] | None, distinct: str | None) -> str:
    text = _escaped(event)
    if where is not None:
        text += f"[{_escaped(where[0])}={_escaped(where[1])}]"
    return text if distinct is None else f"{text}#{_escaped(distinct)}"


behaviours = st.builds(_behaviour, names, st.none() | st.tuples(names, names), st.none() | names)
days = st.integers(1, MAX_DAYS)
last_days = st.fixed_dictionaries({"last": days}, optional={"before": days})
conditions = st.one_of(
    st.builds(lambda name, operator, value: {"trait": name, operator: value}, names,
              st.sampled_from(["is", "is_not"]), scalars),
    st.builds(lambda name, values: {"trait": name, "in": values}, names,
              st.lists(scalars, min_size=1, max_size=5, unique_by=repr)),
    st.builds(lambda name, operator, value: {"trait": name, operator: value}, names,
              st.sampled_from(["at_least", "at_most"]), numbers),
    st.builds(lambda name, value: {"trait": name, "exists": value}, names, st.booleans()),
    st.builds(lambda name, days, operator, times: {"behaviour": name, "days": days, operator: times}, behaviours,
              days, st.sampled_from(["at_least", "at_most"]), st.integers(0, 10**9)),
    st.builds(lambda name, days, operator, times: {"behaviour": name, **days, operator: times}, behaviours,
              last_days, st.sampled_from(["at_least", "at_most"]), st.integers(0, 10**9)),
    st.builds(lambda days, operator, value: {"feature": "active_days", **days, operator: value}, last_days,
              st.sampled_from(["at_least", "at_most"]), st.integers(0, 10**9)),
    st.builds(lambda name, operator, value: {"feature": name, operator: value}, st.sampled_from(FEATURES),
              st.sampled_from(["at_least", "at_most"]), st.floats(0, 1e9) | st.integers(0, 10**9)),
)  # fmt: skip


def _group(parts: Any, most: int = 4) -> Any:
    return st.builds(
        lambda join, rows: {join: rows},
        st.sampled_from(["all", "any", "none"]),
        st.lists(parts, min_size=1, max_size=most),
    )


def documents(depth: int = 5) -> Any:
    """Rules up to so many groups deep."""
    inner = conditions
    for _ in range(depth - 1):
        inner = conditions | _group(inner, 3)
    return _group(inner)


class _Fields(HTMLParser):
    """What a browser posts of a form: inputs, the chosen option of each list, areas of text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, list[str]] = {}
        self.select = self.area = ""
        self.options: list[str] = []
        self.chosen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        name, value = own.get("name") or "", own.get("value") or ""
        if tag == "select":
            self.select, self.options, self.chosen = name, [], []
        elif tag == "option" and self.select:
            self.options.append(value)
            if "selected" in own:
                self.chosen.append(value)
        elif tag == "textarea":
            self.area = name
            self.found.setdefault(name, []).append("")
        elif tag == "input" and name and not (own.get("type") in ("checkbox", "radio") and "checked" not in own):
            self.found.setdefault(name, []).append(value)

    def handle_data(self, data: str) -> None:
        if self.area:
            self.found[self.area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self.select:
            self.found.setdefault(self.select, []).extend(self.chosen[:1] or self.options[:1])
            self.select = ""
        elif tag == "textarea":
            self.area = ""


def posted(page: str) -> dict[str, list[str]]:
    """The fields of a page, as a browser would post them."""
    reader = _Fields()
    reader.feed(page)
    return reader.found
