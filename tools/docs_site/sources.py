"""Sources for MkDocs: the pages of docs/, some of the repository's root, and generated ones."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tools.docs_site.reference import all_reference_pages

# Pages that are elsewhere in the repository, and their path on the site.
MOVED = {
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security-policy.md",
    "CHANGELOG.md": "project/changelog.md",
}
# Paths of pages before version 0.5, and now: the old address has a link to the new one.
FORMER = {
    "discovery.md": "methods/discovery.md",
    "encouragement.md": "methods/encouragement.md",
    "evidence.md": "methods/evidence.md",
    "power.md": "methods/power.md",
    "profiles.md": "methods/profiles.md",
    "segments.md": "methods/segments.md",
    "simulation.md": "methods/worlds.md",
    "survival.md": "methods/survival.md",
}
# The index of docs/ for readers of the repository; the site has its navigation and its first page instead.
LEFT_OUT = {"README.md", "README.ko.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^\s*(```|~~~)")


def write_sources(root: Path, target: Path) -> None:
    """Write all sources of the site to a new folder."""
    pages = source_pages(root)
    for page, place in pages.items():
        _write(target / place, adapted(page.read_text("utf-8"), page, pages, root))
    for asset in (root / "docs").rglob("*"):
        if asset.is_file() and asset.suffix != ".md":
            where = target / asset.relative_to(root / "docs")
            where.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(asset, where)
    for place, text in pointers(set(pages.values())).items():
        _write(target / place, text)
    _write(target / "adr" / "index.md", _decisions(root))
    for place, text in all_reference_pages(root).items():
        _write(target / place, text)


def source_pages(root: Path) -> dict[Path, str]:
    """Each page of the repository that is on the site, and its path there."""
    found = {
        page: page.relative_to(root / "docs").as_posix()
        for page in sorted((root / "docs").rglob("*.md"))
        if page.relative_to(root / "docs").as_posix() not in LEFT_OUT
    }
    return found | {root / name: place for name, place in MOVED.items() if (root / name).is_file()}


def pointers(there: set[str]) -> dict[str, str]:
    """A page at each former address that links to the new one."""
    left = {place: now for place, now in FORMER.items() if now in there and place not in there}
    return {place: f"# This page has moved\n\nIt is now [{now}]({now}).\n" for place, now in left.items()}


def adapted(text: str, page: Path, pages: dict[Path, str], root: Path) -> str:
    """Convert a page to MkDocs' dialect.

    Links are adjusted to the site's paths, and become plain text if the site lacks their target. Content of numbered
    lists is indented by four spaces, since Python-Markdown ends the list at three.
    """

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found.group()
        path, hash_, anchor = target.partition("#")
        there = (page.parent / path).resolve()
        to = pages.get(there) or _asset(there, root)
        if to is None:
            return str(words)
        away = os.path.relpath(to, Path(pages[page]).parent)
        return f"{picture}[{words}]({away}{hash_}{anchor})"

    return _outside_code(text, lambda line: LINK.sub(link, line))


def _asset(there: Path, root: Path) -> str | None:
    if there == root / "docs" / "adr":
        return "adr/index.md"
    if there == root / "README.md" or there == root / "docs" / "README.md":
        return "index.md"
    made = {"reference": root / "docs" / "reference"}
    if there.is_relative_to(made["reference"]):
        return there.relative_to(root / "docs").as_posix()
    inside = there.is_file() and there.is_relative_to(root / "docs")
    return there.relative_to(root / "docs").as_posix() if inside else None


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change the lines outside code, and lay numbered lists out as Python-Markdown reads them."""
    lines: list[str] = []
    code, numbered, blocks = False, False, False
    for given in text.splitlines():
        line = given if code or FENCE.match(given) else change(given)
        item, inside = bool(re.match(r"\d+\. ", line)), line.startswith("   ")
        numbered = item or (numbered and (inside or not line.strip()))
        blocks = numbered and (blocks or bool(FENCE.match(line)))
        if item and blocks and lines[-1]:  # after a block, only an empty line ends the previous item
            lines.append("")
        wider = " " if numbered and re.match(r" {3}\S", line) else ""
        if FENCE.match(line):
            code = not code
        lines.append(wider + line)
    return "\n".join(lines) + "\n"


def _decisions(root: Path) -> str:
    rows = []
    for page in sorted((root / "docs" / "adr").glob("[0-9]*.md")):
        title = page.read_text("utf-8").splitlines()[0].lstrip("# ")
        rows.append(f"* [{title}]({page.name})")
    return "# Decisions\n\nWhy it is built this way and not the other, one page each.\n\n" + "\n".join(rows) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
