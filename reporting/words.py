"""Translated text for people, in the active language. Pure: the site binds a translator, else texts are English.

`gettext` translates a text into the language that is active now. `say` keeps text and fields for translating later and
elsewhere: a refusal is raised by code that doesn't know the user, and translated by the page, command or API.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from stats.results import NotComputable, Reason

# Korean particles that fit the word before them: 은 or 는, 이 or 가, 을 or 를, 과 or 와, 으로 or 로. Pure.
#
# A translation doesn't know which name or number will be inserted, so it contains both: "{variant}은(는)". Which one is
# right depends on whether the word before ends in a consonant, and for 으로 on whether that is ㄹ.

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
# Unpronounced characters between a word and its particle: markup, quotes, brackets.
UNREAD = re.compile(r"""(?:<[^<>]*>|&(?:\#x27|\#39|quot|lt|gt|amp);|['"’”」』)\]}*`…\s])+$""")
FIRST_HANGUL, LAST_HANGUL, FINALS = 0xAC00, 0xD7A3, 28
RIEUL = 8  # index of ㄹ among the final consonants
DIGITS_WITH_FINAL, DIGITS_WITH_RIEUL = ("013678", "178")  # 영 일 삼 육 칠 팔, and 십 백 천
UNITS = {"%": "트", "％": "트", "‰": "밀", "℃": "도", "+": "스", "×": "배"}
LOOK_BACK = 120


def fit(text: str) -> str:
    """Choose the right particle of each pair in a text; both stay if no readable word stands before."""
    if "(" not in text or not EITHER.search(text):
        return text
    return EITHER.sub(lambda found: _fitting(text[max(0, found.start() - LOOK_BACK) : found.start()], found[0]), text)


class Fitted(str):
    """A translated text whose particles are chosen when its fields are filled in."""

    __slots__ = ()

    def format(self, *args: Any, **fields: Any) -> str:
        """Like `str.format`."""
        return fit(super().format(*args, **fields))

    def __mod__(self, value: Any) -> str:
        return fit(super().__mod__(value))


def fitted(text: str) -> str:
    """Wrap a text of the catalogue so that `format` chooses its particles."""
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


@dataclass
class _Bound:
    translate: Callable[[str], str] = str


_bound = _Bound()
_in_english: ContextVar[bool] = ContextVar("in_english", default=False)


def bind(translate: Callable[[str], str]) -> None:
    """Set the translator for all texts: a function from a text to its translation in the active language."""
    _bound.translate = translate


def gettext(text: str) -> str:
    """Translate a text into the active language; `tools.messages` extracts calls by this name."""
    return text if _in_english.get() else fitted(_bound.translate(text))


@contextmanager
def in_english() -> Iterator[None]:
    """Until the block ends, all texts stay English: for texts stored in a row, whatever the user's language."""
    token = _in_english.set(True)
    try:
        yield
    finally:
        _in_english.reset(token)


@dataclass(frozen=True)
class Message:
    """An untranslated sentence: the English text is its code, and `str` translates it into the active language.

    Attributes:
        text: with fields in braces; the catalogue's key.
        fields: their values: formatted numbers and names, or messages.
    """

    text: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self._with_fields(gettext(self.text))

    @property
    def english(self) -> str:
        """The sentence in English, for machines, whatever language is active."""
        return Message(self.text, {name: getattr(value, "english", value) for name, value in self.fields.items()}).plain

    @property
    def plain(self) -> str:
        """The text with its fields, untranslated."""
        return self._with_fields(self.text)

    def record(self) -> dict[str, Any]:
        """The message as JSON for storing in a row; each reader sees it translated."""
        return {"text": self.text, "fields": {name: _kept(value) for name, value in self.fields.items()}}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Message":
        """Restore a stored message."""
        fields = {
            name: cls.from_record(value) if isinstance(value, dict) else value
            for name, value in record["fields"].items()
        }
        return cls(record["text"], fields)

    def _with_fields(self, text: str) -> str:
        return text.format(**self.fields) if self.fields else text


def _kept(value: Any) -> Any:
    message = getattr(value, "message", value)  # a refusal inside another
    if isinstance(message, Message):
        return message.record()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def later(text: str) -> str:
    """Mark a text for the message extractor and return it unchanged; its fields are known later."""
    return text


def say(text: str, /, **fields: Any) -> Message:
    """A sentence with its fields, translated when it is shown."""
    return Message(text, fields)


REASONS = {
    # Of the data: too little, or no variation.
    Reason.TOO_FEW_UNITS: later("Too few users: this needs at least two in each group."),
    Reason.NO_VARIANCE: later("Within the groups all values are the same, so there is no variation to compare by."),
    Reason.CONTROL_MEAN_NEAR_ZERO: later("The control mean is too close to 0, so a relative lift means nothing."),
    Reason.MEANS_NOT_POSITIVE: later("A relative lift needs two positive means."),
    Reason.NO_FIRST_STAGE: later("The nudge didn't change the behaviour at all, so its effect can't be divided out."),
    Reason.COLLINEAR_COVARIATES: later("The covariates repeat each other, so their effects can't be separated."),
    Reason.TOO_FEW_CLUSTERS: later("Too few clusters: this needs at least two in each group."),
    Reason.TOO_FEW_STRATA: later("Too few segments with users in both groups."),
    Reason.SPARSE_TABLE: later("The counts are too small for this number."),
    Reason.NOT_A_PROPORTION: later("This number is defined only for outcomes that are 0 or 1."),
    Reason.NO_PLANNED_SHARE: later("No planned share is known for this group."),
    Reason.NO_HALVES: later(
        "The days that formed the groups are all there are, so nothing is left to test the differences on."
    ),
    Reason.NO_DATA: later("There are no values for this yet. If it is a base rate, enter one."),
    Reason.CLUSTERED: later("This method needs independent users, but whole clusters were assigned."),
    Reason.WHOLE_CLUSTERS: later(
        "Whole clusters were assigned, so what friends do counts too: this says nothing about a member's own behaviour."
    ),
    Reason.CLUSTERS_PER_COVARIATE: later("Too few clusters for this many covariates."),
    Reason.TOO_FEW_FOR_MODEL: later(
        "Too few users with the outcome, or without it: a model needs at least 50 of each."
    ),
    Reason.NO_SKILL: later(
        "The model does not beat the base rate on users it never saw, so it can't rank or score anything."
    ),
    Reason.SMALL_GROUP: later("Fewer than 50 users: the shares of so small a group aren't shown."),
    Reason.TOO_FEW_VALUES: later("Too few different numbers of active days to form three tiers."),
    Reason.TOO_FEW_FOR_DRIFT: later("Too few users to separate drift from chance."),
    Reason.TOO_FEW_ACTIVE_UNITS: later("Too few users were active on enough days to show a play pattern."),
    Reason.TOO_FEW_FEATURES: later("Fewer than two behaviours differ between users, so there is no pattern."),
    Reason.STUDY_TOO_SMALL: later("A study needs at least 200 eligible users, with at least 50 retained and 50 not."),
    Reason.NO_CELL_TO_TEST: later("No cell is done by 2 to 98 percent of the users, so there is nothing to test."),
    Reason.NO_BEHAVIOUR_TO_TEST: later(
        "Each behaviour is set aside by its marks, or too few or too many users do it, so none was tested."
    ),
    Reason.NO_CELL_TO_RECOMMEND: later(
        "No cell of this behaviour is done by 5 to 80 percent of the users, so none can be recommended."
    ),
    Reason.WINDOWS_OVERLAP: later("The behaviour's days overlap the days on which retention is measured."),
    Reason.NO_DENSITY: later(
        "In one group too many users have just this quantile's value (whole numbers, rounded minutes, prices), or "
        "fewer than five lie on one side of it, so its error isn't known. Ask instead which share of users lies "
        "above a number that you fix beforehand: min_events, min_days, or an SQL metric with CASE WHEN."
    ),
    Reason.TOO_FEW_DIFFERENT_COUNTS: later("Too few different counts: a smooth curve and a jump can't be separated."),
    # Of the method or the time.
    Reason.NO_LATER_COHORT: later("Fewer than four signup weeks, so no later cohort was set aside."),
    Reason.NO_HOLD_OUT: later("Fewer than 2,000 users, so none were held out; the optimism was bootstrapped."),
    Reason.NOBODY_JUDGES: later(
        "Fewer than 2,000 users, so none were held out: the jump was found on all of them, and nobody is left to "
        "judge it."
    ),
    Reason.NO_GUARDRAIL_RULE: later("No direction and margin were registered for this guardrail."),
    Reason.MODEL_CONTRADICTED: later(
        "No mix of users could show these shares if the nudge worked only through the behaviour."
    ),
    Reason.WEAK_FIRST_STAGE: later(
        "The nudge changes the behaviour too little for an error of this kind; the set of effects is what counts."
    ),
    Reason.NUDGE_NOT_PROVED: later(
        "The nudge's own effect isn't proved, so there is nothing that the nudge itself could explain."
    ),
    Reason.EARLIER_VERSION: later("This analysis was made by an earlier version, which did not compute it."),
    Reason.NO_NUMBER_PER_UNIT: later("This metric has no number per user, so halves can't be compared by one."),
    Reason.NO_DENOMINATOR: later("The ratio's denominator is 0 on average, so there is no ratio."),
    Reason.NO_OVERLAP: later("Users who did it have too few comparable users who didn't."),
    Reason.RAW_COVERS_ZERO: later("The raw difference is too close to 0, so a share of it means nothing."),
    Reason.TOO_FEW_CONTROLS: later("Too few negative controls: this needs at least five inert behaviours."),
    Reason.CURVE_STILL_FALLS: later("The data end before the retention curve flattens."),
    Reason.CURVE_TOO_NOISY: later("The retention curve may be flat, but too few users show it."),
    Reason.CURVE_TOO_SHORT: later("The retention curve needs at least eight days with users after day 0."),
    Reason.NOT_AT_A_LOOK: later("It is shown with the final analysis: at an interim analysis it has no level."),
    Reason.ONE_LOOK_ONLY: later("It is known for a plan with one analysis, and this plan has several."),
    Reason.NO_COMPARABLE_COMPLIERS: later(
        "Too few of these users did it because of the nudge to show the behaviour's effect on them."
    ),
    Reason.NOBODY_UNMOVED: later("Everybody did it because of the nudge, so there are no others."),
    Reason.NO_TRAITS: later(
        "Nothing that was known before the assignment divides the users into groups that are large enough."
    ),
    Reason.TOO_FEW_FOR_RULE: later("Fewer than 500 users in a group: no rule could be separated from luck."),
    Reason.NO_EXPERIMENT_YET: later("No experiment has measured the effect of this behaviour yet."),
    Reason.SPLIT_DIFFERS: later(
        "The plan gives segments different shares, so whole groups can't be compared; see the comparison inside "
        "segments."
    ),
    Reason.NO_EVENTS: later("Nobody has left while several groups were observed, so there is nothing to compare."),
    Reason.AT_THE_EDGE: later("Everybody or nobody is left here, where this method has no interval."),
    Reason.BEYOND_FOLLOW_UP: later("The data don't go that far: no user of a group was observed so long."),
    Reason.TOO_FEW_DAYS_BEFORE: later("Too few days before the date: {n}, and {needed} are needed."),
    Reason.LOG_TOO_SHORT: later("The log is too short: it has {n} whole weeks, and {needed} are needed."),
    Reason.TOO_FEW_WEEKS: later("Too few weeks of enrolment with enough users in both groups."),
    Reason.TOO_FEW_EXPERIMENTS: later("Too few experiments have tested a prediction to pool them."),
    Reason.TOO_FEW_FINDINGS: later(
        "Fewer than ten experiments have a final finding on this outcome, so what was shipped isn't added up: luck "
        "and effect couldn't be separated."
    ),
    Reason.TOO_FEW_TO_POOL: later("Too few experiments have nudged to this behaviour to compute this from them."),
    Reason.NUDGES_DISAGREE: later(
        "The experiments disagree, so we don't average them: some nudges work in other ways, or the effect differs "
        "between them."
    ),
    Reason.NOT_TOLD_APART: later(
        "The nudges changed this behaviour together with another, so the two can't be separated."
    ),
    Reason.AS_MANY_NUDGES_AS_BEHAVIOURS: later(
        "There are as many nudges as behaviours, so whether they contradict each other can't be seen."
    ),
    # Of a plan, before any unit arrived.
    Reason.NO_DETECTABLE_EFFECT: later(
        "With this many users even the largest possible effect would be found too rarely."
    ),
    Reason.TOO_MANY_UNITS: later("More than a million million users would be needed."),
    Reason.NO_DAILY_UNITS: later("Unknown until you enter users per day."),
    Reason.NO_INFLOW: later("How many users join a day isn't known here."),
    Reason.NO_RECENT_USERS: later("No users signed up in the last four weeks, so there is no base rate. Enter one."),
    Reason.NO_RECENT_VALUES: later(
        "No users signed up in the last four weeks, so the mean of this outcome isn't known."
    ),
    Reason.NO_MARGIN: later("No margin is given: the smallest effect worth acting on."),
    Reason.NO_TAKE_UP: later("No take-up is planned: the share of users who do it because of the nudge."),
    Reason.NO_INSTRUMENT: later("The feature itself is assigned: no first stage is needed."),
    Reason.NO_OUTCOME_BY_THEN: later("Too few outcomes are known by the deadline."),
    Reason.ARMS_ALIKE: later(
        "These groups can't separate a step from an effect of each time: at least two must nudge to different "
        "numbers, one of them to the moment's or above."
    ),
    Reason.TOO_LATE: later("More than a hundred years from now."),
}


def reason_words(missing: NotComputable) -> str:
    """The reason as one plain sentence in the reader's language."""
    return gettext(REASONS[missing.reason]).format(**missing.details)


# Small counts with their noun, singular or plural: "once", "3 times"; "1 day", "7 days". Pure.


def times_words(times: int) -> str:
    """A number of times: "once", "3 times"."""
    return gettext("once") if times == 1 else gettext("{n} times").format(n=times)


def days_words(days: int) -> str:
    """A number of days: "1 day", "7 days"."""
    return gettext("1 day") if days == 1 else gettext("{n} days").format(n=days)


def week_words(monday: str) -> str:
    """A week, by its Monday as `reporting.numbers.day_text` writes it: heading of a tooltip."""
    return gettext("Week of {monday}").format(monday=monday)


def times_said(times: int) -> Message:
    """The same for use inside a refusal, translated when it is shown."""
    return say("once") if times == 1 else say("{n} times", n=times)


def days_said(days: int) -> Message:
    """The same for use inside a refusal."""
    return say("1 day") if days == 1 else say("{n} days", n=days)


# Display names of events and properties, if people have given any. Pure: the site supplies the table.
#
# Stored results, documents for machines and command lines use names as they are sent. Pages call `shown(name)`: during
# a person's request the site has supplied a table (`names_from`); otherwise the name itself is shown.

type Lookup = Callable[[str, str], str]
_lookup: ContextVar[Lookup | None] = ContextVar("shown_names", default=None)


def shown(event: str, property: str = "") -> str:
    """The display name of an event, or of one of its properties, in the active language."""
    lookup = _lookup.get()
    name = property or event
    return (lookup(event, property) or name) if lookup else name


def unescaped(text: str) -> str:
    """A specification without backslash escapes."""
    return re.sub(r"\\([\\:\[\]#=/])", r"\1", text)


def shown_in(text: str) -> str:
    """A behaviour or metric, such as ``count:EVENT[property=value]:0-6``, with display names, unescaped."""
    words = re.split(r"(?<!\\)([:\[\]#=/])", text)
    event, made = "", ""
    for place in range(0, len(words), 2):
        word, before = unescaped(words[place]), words[place - 1] if place else ""
        is_form = place == 0 and words[1:2] == [":"]  # the "count" of count:EVENT:0-6
        if word and not is_form and before != "=":
            if event and (before in ("[", "#") or (before == ":" and words[0] == "sum" and place == 4)):
                word = shown(event, word)
            elif before in ("", ":"):
                event, word = word, shown(word)
        made += before + word
    return made


@contextmanager
def names_from(lookup: Lookup) -> Iterator[None]:
    """Until the block ends, `shown` looks names up here: from event and property (or "") to display name or ""."""
    token = _lookup.set(lookup)
    try:
        yield
    finally:
        _lookup.reset(token)


def as_sent() -> AbstractContextManager[None]:
    """Until the block ends, names are shown as sent: for documents that machines read."""
    return names_from(lambda _event, _property: "")
