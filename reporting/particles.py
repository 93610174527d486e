"""Korean particles that fit the word before them: 은 or 는, 이 or 가, 을 or 를, 과 or 와, 으로 or 로. Pure.

A translation can't know what name or number will stand in it, so it writes both: "{variant}은(는)". Which one is right
depends on whether the word before ends in a consonant, and for 으로 on whether that is ㄹ.
"""

import re
from typing import Any

# As written in the catalogue: after a consonant, after a vowel (or, for 으로, ㄹ).
PAIRS = {
    "은(는)": ("은", "는"),
    "는(은)": ("은", "는"),
    "이(가)": ("이", "가"),
    "가(이)": ("이", "가"),
    "을(를)": ("을", "를"),
    "를(을)": ("을", "를"),
    "(을)를": ("을", "를"),
    "과(와)": ("과", "와"),
    "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"),
}
EITHER = re.compile("|".join(map(re.escape, PAIRS)))
# What stands between a word and its particle and isn't read: markup, quotes, brackets.
UNREAD = re.compile(r"""(?:<[^<>]*>|&(?:\#x27|\#39|quot|lt|gt|amp);|['"’”」』)\]}*`…\s])+$""")
FIRST_HANGUL, LAST_HANGUL, FINALS = 0xAC00, 0xD7A3, 28
RIEUL = 8  # place of ㄹ among the final consonants
DIGITS_WITH_FINAL, DIGITS_WITH_RIEUL = ("013678", "178")  # 영 일 삼 육 칠 팔, and 십 백 천
UNITS = {"%": "트", "％": "트", "‰": "밀", "℃": "도", "+": "스", "×": "배"}
LOOK_BACK = 120


def fit(text: str) -> str:
    """The text with the one particle of each pair that fits; both stay where nothing readable stands before."""
    if "(" not in text or not EITHER.search(text):
        return text
    return EITHER.sub(lambda found: _fitting(text[max(0, found.start() - LOOK_BACK) : found.start()], found[0]), text)


class Fitted(str):
    """A translated text whose particles are chosen when its fields are known."""

    __slots__ = ()

    def format(self, *args: Any, **fields: Any) -> str:
        """As `str.format`."""
        return fit(super().format(*args, **fields))

    def __mod__(self, value: Any) -> str:
        return fit(super().__mod__(value))


def fitted(text: str) -> str:
    """A text of the catalogue, ready for its fields."""
    return Fitted(text) if EITHER.search(text) else text


def _fitting(before: str, both: str) -> str:
    last = UNREAD.sub("", before)[-1:]
    if not last:
        return both
    consonant, rieul = _final(UNREAD.sub("", before))
    after_consonant, after_vowel = PAIRS[both]
    return after_vowel if not consonant or (rieul and both == "(으)로") else after_consonant


def _final(word: str) -> tuple[bool, bool]:
    """Whether a word, as Koreans read it, ends in a consonant, and whether that is ㄹ."""
    last = UNITS.get(word[-1], word[-1])
    if FIRST_HANGUL <= ord(last) <= LAST_HANGUL:
        final = (ord(last) - FIRST_HANGUL) % FINALS
        return final != 0, final == RIEUL
    if last.isdigit():
        return last in DIGITS_WITH_FINAL, last in DIGITS_WITH_RIEUL
    tail = word[-2:].lower()
    if last in "LMNR" or tail[-1:] in ("l", "m", "n") or tail == "ng":
        return True, tail[-1:] == "l" or last == "R"
    # chat 챗, shop 숍, book 북: a stop right after a vowel closes the syllable; friend_add 애드 does not.
    closed = len(tail) == 2 and tail[0] in "aeiou" and tail[1] in "bckpt"
    return closed, False
