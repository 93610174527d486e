"""Check every link of the built pages: the file exists, the anchor is on it, and nothing is loaded from other hosts."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes from which a browser loads without a click.
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "audio": "src"}
FETCHING_RELS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and set(found.get("rel", "").split()) & FETCHING_RELS:
            self.fetched.append(found.get("href", ""))
        elif tag in FETCHED and FETCHED[tag] in found:
            self.fetched.append(found[FETCHED[tag]])


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text("utf-8"))


def wrong_links(site: Path) -> list[str]:
    """A line per broken link, and per resource that a page would load from another host."""
    _page.cache_clear()
    found = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # shown at any address, so its links are absolute on the host
            continue
        page = _page(path)
        name = path.relative_to(site).as_posix()
        found += [f"{name}: {why} {link}" for link in page.links if (why := _trouble(path, link))]
        found += [f"{name}: {why} {link}" for link in page.fetched if (why := _trouble(path, link, fetched=True))]
    return found


def _trouble(path: Path, link: str, *, fetched: bool = False) -> str:
    """What is wrong with a link; "" for nothing. Links to other hosts aren't followed."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return "fetches from elsewhere" if fetched and parts.scheme != "data" else ""
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if there.is_dir():
        there /= "index.html"
    if not there.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and there.suffix == ".html" and anchor not in _page(there).anchors and anchor != "__tabbed":
        return "no such anchor"
    return ""
