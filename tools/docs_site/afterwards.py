"""Files added to the built site: Markdown of pages, llms.txt, the list of versions, and a search index per language."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.docs_site.sources import LINK

ROOT = Path(__file__).resolve().parent.parent.parent
UNRELEASED = "-dev"
LANGUAGES = {"en": "", "ko": "ko/"}
BASE = re.compile(r'(<script id="__config" type="application/json">.*?"base": ")([^"]*)"')
LEADS = {
    "en": "Insight finds the early behaviour after which users stay, and decides by experiment whether it is the "
    "cause. Numbers that can't be computed say why. Nobody reads an outcome before its plan allows it.",
    "ko": "Insight는 어떤 초기 행동을 한 사용자가 남는지 찾고, 그 행동이 원인인지를 실험으로 판정합니다. "
    "계산할 수 없는 수에는 이유가 있고, 계획이 허락하기 전에는 아무도 결과를 읽지 못합니다.",
}


@dataclass(frozen=True)
class Entry:
    """A page of the navigation.

    Attributes:
        section: its heading in the navigation.
        title: its title.
        page: its English file.
    """

    section: str
    title: str
    page: str


class _Loader(yaml.SafeLoader):
    """Loads mkdocs.yml, ignoring tags that name functions of MkDocs' environment."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def finish(source: Path, site: Path, version: str) -> None:
    """Add all files to the built version, and the list of versions above it."""
    built = site / version
    config = configuration()
    entries = list(_entries(config["nav"], ""))
    languages = config["plugins"][1]["i18n"]["languages"]
    titles = {row["locale"]: row.get("nav_translations", {}) for row in languages}
    for language, folder in LANGUAGES.items():
        _twins(source, built, language)
        (built / folder / "llms.txt").write_text(_list(entries, source, language, titles[language]), encoding="utf-8")
        whole = "\n\n".join(_text(source, entry.page, language)[0] for entry in entries)
        (built / folder / "llms-full.txt").write_text(whole, encoding="utf-8")
    _split_search(built)
    _versions(site, version)


def configuration() -> dict[str, Any]:
    """The parsed mkdocs.yml, without functions of MkDocs' environment."""
    found: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader=_Loader)  # noqa: S506 - a safe one
    return found


def navigation(items: list[Any]) -> Iterator[str]:
    """Every page in the navigation."""
    return (entry.page for entry in _entries(items, ""))


def _entries(items: list[Any], section: str) -> Iterator[Entry]:
    for item in items:
        if isinstance(item, str):
            yield Entry(section, section.rpartition(" / ")[2], item)
            continue
        for title, inner in item.items():
            if isinstance(inner, str):
                yield Entry(section, title, inner)
            else:
                yield from _entries(inner, f"{section} / {title}" if section else title)


def _text(source: Path, page: str, language: str) -> tuple[str, bool]:
    """The Markdown of a page in a language, and whether it is in that language."""
    own = source / page if language == "en" else (source / page).with_suffix(f".{language}.md")
    found = own if own.is_file() else source / page
    return found.read_text("utf-8"), found == own


def _twins(source: Path, built: Path, language: str) -> None:
    """Write each page's Markdown beside its HTML, with links adjusted to the place."""
    for page in source.rglob("*.md"):
        name = page.relative_to(source).as_posix()
        if re.search(r"\.ko\.md$", name):
            continue
        text, _ = _text(source, name, language)
        twin = built / LANGUAGES[language] / name
        twin.parent.mkdir(parents=True, exist_ok=True)

        def link(found: re.Match[str], name: str = name) -> str:
            picture, words, target = found.groups()
            if re.match(r"[a-z]+:|#", target) or re.search(r"\.md(#|$)", target):
                return found.group()
            place = os.path.normpath(Path(name).parent / target)
            away = os.path.relpath(place, Path(LANGUAGES[language], name).parent)
            return f"{picture}[{words}]({away})"

        twin.write_text(LINK.sub(link, text), encoding="utf-8")


def _list(entries: list[Entry], source: Path, language: str, titles: dict[str, str]) -> str:
    """The index for language models: https://llmstxt.org."""

    def said(words: str) -> str:
        return " / ".join(titles.get(one, one) for one in words.split(" / "))

    lines = ["# Insight", "", f"> {LEADS[language]}"]
    section = ""
    for entry in entries:
        if entry.section != section:
            section = entry.section
            lines += ["", f"## {said(section)}", ""]
        elif not section and len(lines) == 3:
            lines.append("")
        lines.append(f"- [{said(entry.title)}]({entry.page}): {_first_words(_text(source, entry.page, language)[0])}")
    return "\n".join(lines) + "\n"


def _first_words(text: str) -> str:
    """The first sentence below the title."""
    for block in re.split(r"\n\s*\n", re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)):
        words = " ".join(block.split())
        if words and not re.match(r"[#|`>!*<]|\d+\.|- ", words):
            plain = LINK.sub(lambda found: str(found[2]), words)
            return re.split(r"(?<=[.?!:])\s", plain, maxsplit=1)[0].rstrip(":")
    return ""


def _split_search(built: Path) -> None:
    """Split the search index by language, so that results have the reader's language and its addresses."""
    whole = json.loads((built / "search" / "search_index.json").read_text("utf-8"))
    for language, folder in LANGUAGES.items():
        docs = [
            {**one, "location": one["location"].removeprefix(folder)}
            for one in whole["docs"]
            if one["location"].startswith("ko/") == (language == "ko")
        ]
        index = built / folder / "search" / "search_index.json"
        index.parent.mkdir(exist_ok=True)
        index.write_text(
            json.dumps({**whole, "docs": docs}, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
        )
    for page in (built / "ko").rglob("*.html"):
        text = page.read_text("utf-8")
        page.write_text(BASE.sub(lambda found: f'{found[1]}{_in_korean(found[2])}"', text, count=1), encoding="utf-8")


def _in_korean(base: str) -> str:
    """The relative address of the first Korean page, from that of the first page."""
    return os.path.normpath(f"{base}/ko") + "/"


def version_of(changelog: str) -> str:
    """The version in the first heading of the changelog: a release such as 0.4.0, or "0.4-dev" before 0.4."""
    heading = re.search(r"^## (?:Unreleased \(([\d.]+)\)|([\d.]+))", changelog, re.MULTILINE)
    if heading is None:
        raise ValueError("CHANGELOG.md begins with no version")
    return f"{heading[1]}{UNRELEASED}" if heading[1] else heading[2]


def _versions(site: Path, version: str) -> None:
    """List the built versions, newest first; the first page redirects to the newest release, or to this build."""
    found = sorted((one.name for one in site.iterdir() if (one / "index.html").is_file()), key=_number, reverse=True)
    (site / "versions.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    first = next((one for one in found if not one.endswith(UNRELEASED)), version)
    to = f"{first}/index.html"
    (site / "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Insight</title>'
        f'<link rel="icon" href="{first}/assets/icon.svg">'  # without one a browser requests /favicon.ico
        f'<meta http-equiv="refresh" content="0; url={to}"><a href="{to}">Insight {first}</a></html>\n',
        encoding="utf-8",
    )
    text = (site / first / "llms.txt").read_text("utf-8")
    (site / "llms.txt").write_text(re.sub(r"\]\((?!https?:)", f"]({first}/", text), encoding="utf-8")
    shutil.copyfile(site / first / "llms-full.txt", site / "llms-full.txt")


def _number(version: str) -> tuple[tuple[int, ...], bool]:
    """Sort key: a release comes after its pre-releases."""
    return tuple(int(part) for part in re.findall(r"\d+", version)), not version.endswith(UNRELEASED)
