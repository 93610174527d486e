"""Turn a page of the site into a static file. Pure: unchanged parts are copied verbatim."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

SCRIPTS = ("charts.js", "contents.js", "copy.js", "data.js")  # scripts that need no server
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
CONTROLS = ("button", "input", "select", "textarea")
ADDRESSES = {"img": "src", "source": "srcset", "script": "src", "link": "href"}
SERVER_ATTRIBUTES = ("hx-", "data-pick", "data-pause", "action", "method", "enctype", "autofocus")
VOID = ("br", "col", "hr", "img", "input", "link", "meta", "source", "wbr")
type Attributes = dict[str, str | None]


@dataclass(frozen=True)
class Frame:
    """The frame around every page of one language.

    Attributes:
        style: address of the style sheet for banner and disabled controls.
        banner: HTML in front of the page's content.
        languages: HTML that replaces the language form.
        off: why a control is disabled.
        missing: why a link leads nowhere.
    """

    style: str
    banner: str
    languages: str
    off: str
    missing: str


class _Reader(HTMLParser):
    """Parses a page and copies it; `start` may replace a tag or an element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.text, self.out, self.done = text, [""], 0
        self.lines = [0]
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.skipped, self.depth, self.keeps_end = "", 0, False

    def read(self) -> str:
        """The whole converted page."""
        self.feed(self.text)
        self.close()
        return "".join([*self.out, self.text[self.done :]])

    def start(self, tag: str, attributes: Attributes) -> str | None:
        """The replacement of this start tag; None keeps it. May call `skip`."""
        raise NotImplementedError

    def skip(self, tag: str, *, keeps_end: bool = False) -> None:
        """Leave out the content of the element that begins here, and its end tag too unless it is kept."""
        self.skipped, self.depth, self.keeps_end = tag, 1, keeps_end

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Copy the text before the tag, then the tag or its replacement."""
        if self.skipped:
            self.depth += tag == self.skipped
            return
        at = self._here()
        raw = self.get_starttag_text() or ""
        put = self.start(tag, dict(attrs))
        if put is None and not self.skipped:
            return
        self.out += [self.text[self.done : at], put or ""]
        self.done = at + len(raw)

    def handle_endtag(self, tag: str) -> None:
        """Copy an end tag; or end the element that is left out."""
        if tag != self.skipped:
            return
        self.depth -= 1
        if self.depth == 0:
            at = self._here()
            self.skipped = ""
            self.done = at if self.keeps_end else self.text.index(">", at) + 1

    def _here(self) -> int:
        line, column = self.getpos()
        return self.lines[line - 1] + column


class _Loads(_Reader):
    """Inserts the parts that htmx loads as soon as a page opens."""

    def __init__(self, text: str, fetched: Callable[[str], str | None]) -> None:
        super().__init__(text)
        self.fetched = fetched

    def start(self, tag: str, attributes: Attributes) -> str | None:
        """Only `load` itself: `load delay` polls for an answer, which the visitor waits for."""
        address, trigger = attributes.get("hx-get"), attributes.get("hx-trigger") or ""
        if not address or not trigger.startswith("load") or trigger.startswith("load delay"):
            return None
        if (content := self.fetched(address)) is None:
            return None
        outer = attributes.get("hx-swap") == "outerHTML"
        self.skip(tag, keeps_end=not outer)
        return content if outer else _written(tag, attributes) + content


class _Links(_Reader):
    """Collects a page's links."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.found: list[str] = []

    def start(self, tag: str, attributes: Attributes) -> str | None:
        """Note a link."""
        if tag == "a" and (address := attributes.get("href")):
            self.found.append(address)
        return None


class _Copy(_Reader):
    """Converts a page to a static file."""

    def __init__(self, text: str, frame: Frame, linked: Callable[[str], str | None]) -> None:
        super().__init__(text)
        self.frame, self.linked = frame, linked
        self.shows_one = False  # the select that is being read already shows an option

    def start(self, tag: str, attributes: Attributes) -> str | None:
        """Point links to files, disable controls, and remove what only a server can handle."""
        if tag == "head":
            return f'<head><meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        if tag == "form" and "language" in (attributes.get("class") or "").split():
            self.skip(tag)
            return self.frame.languages
        if self._is_personal(tag, attributes):
            if tag not in VOID:
                self.skip(tag)
            return ""
        if tag == "main":
            return self.frame.banner + _written(tag, attributes)
        if tag == "a":
            return self._link(attributes)
        if tag in CONTROLS:
            return self._control(tag, attributes)
        if tag in ADDRESSES and (place := ADDRESSES[tag]) in attributes:
            address = self.linked(attributes[place] or "")
            return _written(tag, {**attributes, place: address}) if address else ""
        if any(name.startswith(SERVER_ATTRIBUTES) for name in attributes):
            return _written(tag, attributes)
        return None

    def _is_personal(self, tag: str, attributes: Attributes) -> bool:
        """True for parts of a session: account, tokens, search and its scripts."""
        classes = (attributes.get("class") or "").split()
        return (
            (tag == "script" and not (attributes.get("src") or "").endswith(SCRIPTS))
            or (tag == "meta" and attributes.get("name") == "htmx-config")
            or (tag == "input" and attributes.get("type") == "hidden")
            or (tag == "form" and "finder" in classes)
            or tag == "datalist"
            or self._is_unchosen(tag, attributes)
            or (tag == "a" and "hint-link" in classes)
            or "personal" in (attributes.get("id"), attributes.get("popovertarget"))
        )

    def _is_unchosen(self, tag: str, attributes: Attributes) -> bool:
        """True for options of a closed select beyond the one shown: they may be names of accounts."""
        if tag == "select":
            self.shows_one = False
        if tag != "option" or "selected" in attributes or not self.shows_one:
            self.shows_one |= tag == "option"
            return False
        return True

    def _link(self, attributes: Attributes) -> str | None:
        address = attributes.get("href")
        if address is None or address.startswith(("#", "mailto:", "http://", "https://")):
            return None
        if (target := self.linked(address)) is not None:
            return _written("a", {**attributes, "href": target})
        given = {name: value for name, value in attributes.items() if name not in ("href", "download")}
        return _written("a", {**given, "role": "link", "aria-disabled": "true", "title": self.frame.missing})

    def _control(self, tag: str, attributes: Attributes) -> str | None:
        """Keep controls that work without a server: notes that open, and buttons that copy a text."""
        if tag == "button" and ("popovertarget" in attributes or "data-copy" in attributes):
            return None
        return _written(tag, {**attributes, "disabled": None, "title": self.frame.off})


def with_loads(text: str, fetched: Callable[[str], str | None]) -> str:
    """A page with the parts that a browser would load at once.

    Args:
        text: the page.
        fetched: content at an address, or None if nothing would be shown; it is scanned for further parts.
    """

    def part(address: str) -> str | None:
        content = fetched(address)
        return None if content is None else with_loads(content, fetched)

    return _Loads(text, part).read()


def links(text: str) -> list[str]:
    """The addresses that a page links to, unchanged."""
    reader = _Links(text)
    reader.read()
    return reader.found


def as_file(text: str, frame: Frame, linked: Callable[[str], str | None]) -> str:
    """A page as a static file.

    Args:
        text: the whole page.
        frame: around the page.
        linked: the address in the copy for one of the site; None if it isn't in the copy.
    """
    style = f'<link rel="stylesheet" href="{escape(frame.style)}"></head>'
    return _Copy(text, frame, linked).read().replace("</head>", style, 1)


def _written(tag: str, attributes: Attributes) -> str:
    """A start tag without attributes that only a server can handle."""
    pairs = [
        name if value is None else f'{name}="{escape(value)}"'
        for name, value in attributes.items()
        if not name.startswith(SERVER_ATTRIBUTES)
    ]
    return f"<{' '.join([tag, *pairs])}>"
