"""Check that no message of a page has a retired word of docs/words.md: English messages and Korean translations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.check.korean import texts
from tools.messages import extracted, korean

PAGES = tuple(Path(__file__).resolve().parents[2] / "docs" / name for name in ("words.md", "words.ko.md"))
# Placeholders and options are names of the code, not words.
NAMES = re.compile(r"%\(\w+\)[sd]|\{[^{}]*\}|--[\w-]+")
# No pages: commands; labels of columns, which stand in migrations and on pages of the admin.
NO_PAGES = re.compile(r"/management/|/models/|/models\.py$|^insight_site/demo/|^experiments/files/")


@dataclass(frozen=True)
class Retired:
    """A word that no page has.

    Attributes:
        word: as docs/words.md, or its Korean version, names it.
        pattern: the word in a message, all its forms.
        allowed: what may contain it, each with the reason.
    """

    word: str
    pattern: str
    allowed: tuple[tuple[str, str], ...] = ()

    def is_in(self, text: str) -> bool:
        """Whether a message has the word outside what is allowed."""
        rest = NAMES.sub(" ", text)
        for allowed, _ in self.allowed:
            rest = re.sub(allowed, " ", rest)
        return re.search(self.pattern, rest, re.IGNORECASE) is not None


MEASURE = ((r"(?:outcome's|metric's)(?: own)? unit|^Unit$|^unit$", "what a number is measured in"),)
ENGLISH: tuple[Retired, ...] = (
    Retired("unit", r"\bunits?\b", MEASURE),
    Retired("arm", r"\barms?\b"),
    # Of users; a nudge moves a behaviour.
    Retired(
        "moved",
        r"\b(?:users?|people|those|who|carried) (?:were |was )?moved\b|\bmoved (?:users?|people)\b"
        r"|\bwhom (?:it|the nudge) mov(?:ed|es)\b",
    ),
    Retired("act", r"\bacts?\b"),
    Retired("reach the moment", r"\breach(?:es|ed|ing)?\b", ((r"^reach$", "head of a column: the share who do it"),)),
    Retired(
        "look",
        r"\blook(?:s|ed|ing)?\b",
        ((r"^how looks spend alpha$", "a column, see the migration"), (r"not looked at\b", "nobody examined it")),
    ),
    Retired("peek", r"\bpeek(?:s|ed|ing)?\b"),
    Retired(
        "tell",
        r"\b(?:tells?|told|telling)\b",
        ((r"\btold apart\b", "two behaviours"), (r"^can't tell$", "what the curve of a launch says")),
    ),
    Retired("be held equal", r"\b(?:held|holding|all) equal\b"),
    Retired("whom", r"\bwhom\b"),
    Retired("What you hear", r"\bwhat you hear\b"),
    Retired("Keep", r"^Keep\b|^Kept\b", ((r"^keep the configuration on the server$", "leave it where it is"),)),
    Retired("Where a user belongs", r"\bwhere a user belongs\b"),
    Retired("Own checks of reviews", r"\bown checks of reviews\b"),
    Retired("Models of leaving", r"\bmodels? of leaving\b"),
    Retired("Shared users", r"\bshared users\b"),
    Retired("Promise and finding", r"\bpromises? (?:and|against) findings?\b"),
    Retired("Nudged by", r"^nudged by\b"),
    Retired("Conclude", r"\bconclude[ds]?\b", ((r"^Chance to conclude", "what a test concludes"),)),
)
KOREAN: tuple[Retired, ...] = (
    Retired("-어요, -아요", r"(?:어|아|해|예|에|네|죠|거든)요(?=[.!?()\s~]|$)"),
    Retired("살펴보기", r"살펴보기"),
    Retired("아하 모먼트 탐색", r"아하 모먼트 탐색"),
    Retired("데이터 상태", r"데이터 상태"),
    Retired("결론 확정", r"결론(?:을|이)? 확정"),
    Retired("처리를 기다리는", r"처리를 기다리는"),
    Retired("더 김, 더 짧음", r"더 (?:김|짧음)$"),
    Retired("꼭짓점", r"꼭짓점"),
    Retired("일차 잔존율", r"일차(?: 이후)? 잔존율"),
    Retired("무엇을 주장하나요", r"주장하나요"),
    Retired("누가 있나요", r"누가 있나요"),
    Retired("그룹 찾기", r"그룹 찾기"),
)


def _is_page(path: str) -> bool:
    return NO_PAGES.search(path) is None


def retired() -> Iterator[str]:
    """Messages of pages with a retired word, and retired words that the style sheet doesn't name."""
    shown = {one.id for one in extracted() if one.id and any(_is_page(path) for path, _ in one.locations)}
    for message in korean():
        if message.id not in shown:
            continue
        for words, said in ((ENGLISH, texts(message.id)), (KOREAN, texts(message.string))):
            yield from (
                f"retired word “{word.word}” in “{text}”" for word in words for text in said if word.is_in(text)
            )
    for words, page in zip((ENGLISH, KOREAN), PAGES, strict=True):
        named = page.read_text("utf-8")
        yield from (f"docs/{page.name} doesn't name “{word.word}”" for word in words if word.word not in named)


CHECKS = (retired,)
