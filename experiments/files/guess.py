"""Guess the columns of the file of a finished test from their names and first values. Pure; a person corrects them.

Only what a name or a value says is guessed. Traits never are: that a column was known before the assignment, no file
says.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.importing.text_reading import Sample
from experiments.files.cleaning import MAX_VARIANTS

# Words in the order in which they win. A name matches when it is the word, then when the word begins or ends it.
GROUPS = (
    *("group", "variant", "arm", "treatment", "treat", "assignment", "assigned", "variation", "bucket", "version"),
    *(
        "condition",
        "segmentassigned",
        "experimentgroup",
        "testgroup",
        "z",
        "그룹",
        "실험그룹",
        "집단",
        "실험군",
        "배정",
    ),
    *("변형", "처치", "조건", "버전"),
)
CONTROLS = (
    *("control", "ctrl", "controlgroup", "baseline", "base", "none", "noemail", "holdout", "off", "default", "a", "0"),
    *("false", "대조군", "대조", "통제", "통제군", "기존", "기준", "비교군", "미적용"),
)
SURE = ("control", "ctrl", "controlgroup", "baseline", "대조군", "통제군")  # a column with such a value holds groups
USERS = (
    *("userid", "user", "uid", "playerid", "memberid", "customerid", "studentid", "accountid", "deviceid", "subjectid"),
    *(
        "unitid",
        "unit",
        "id",
        "사용자id",
        "사용자",
        "유저id",
        "유저",
        "회원id",
        "회원번호",
        "회원",
        "고객id",
        "고객번호",
    ),
    *("고객", "학생", "아이디"),
)
OUTCOMES = (
    *("retained", "retention", "stayed", "returned", "kept", "active", "survived", "churned", "outcome", "converted"),
    *("conversion", "y", "리텐션", "잔존", "유지", "재방문", "복귀", "남음", "전환", "결과"),
)
BEHAVIOURS = (
    *(
        "behaviour",
        "behavior",
        "did",
        "didit",
        "reached",
        "aha",
        "moment",
        "tookup",
        "takeup",
        "complied",
        "compliance",
    ),
    *("participated", "d", "행동", "행동여부", "아하", "달성", "도달", "수행", "참여", "여부"),
)
CLUSTERS = (
    "cluster",
    "clusterid",
    "household",
    "school",
    "classroom",
    "guild",
    "team",
    "클러스터",
    "가구",
    "학급",
    "길드",
)
SEGMENTS = ("segment", "stratum", "strata", "block", "세그먼트", "층", "층화")
PLACEBOS = ("placebo", "sham", "위약", "플라시보")


@dataclass(frozen=True)
class Guess:
    """Guessed columns and labels; "" where nothing speaks for one."""

    variant: str = ""
    control: str = ""
    outcome: str = ""
    behaviour: str = ""
    unit: str = ""
    cluster: str = ""
    segment: str = ""
    placebo: str = ""


def guess_columns(sample: Sample) -> Guess:
    """The columns of a finished test by name, else by their values: every guess is a column of its own."""
    left = list(sample.columns)

    def take(column: str) -> str:
        if column:
            left.remove(column)
        return column

    unit = take(_named(left, USERS, within=False) or _named([one for one in left if _is_key(sample, one)], USERS))
    few = [one for one in left if 1 < len(labels_of(sample, one)) <= MAX_VARIANTS]
    told = [one for one in few if _control(labels_of(sample, one), SURE)]
    variant = take(_named(few, GROUPS) or next(iter(told), ""))
    flags = [one for one in left if _is_flag(sample, one)]
    outcome = take(_named(flags, OUTCOMES) or _named(left, OUTCOMES))
    flags = [one for one in flags if one != outcome]
    behaviour = take(_named(flags, BEHAVIOURS))
    if not outcome and len([one for one in flags if one != behaviour]) == 1:
        outcome = take(next(one for one in flags if one != behaviour))
    cluster, segment = take(_named(left, CLUSTERS)), take(_named(left, SEGMENTS))
    labels = labels_of(sample, variant) if variant else ()
    control = _control(labels, CONTROLS) or next(iter(labels), "")
    placebo = _named([label for label in labels if label != control], PLACEBOS) if behaviour else ""
    return Guess(variant, control, outcome, behaviour, unit, cluster, segment, placebo)


def labels_of(sample: Sample, column: str) -> tuple[str, ...]:
    """The different values of a column in the first rows, in order of the alphabet; at most one above the limit."""
    found = {value.strip() for value in sample.values(column)} - {""}
    return tuple(sorted(found)[: MAX_VARIANTS + 1])


def _is_flag(sample: Sample, column: str) -> bool:
    found = {value.strip().lower() for value in sample.values(column)}
    return bool(found) and any(found <= one for one in ({"0", "1"}, {"0.0", "1.0"}, {"true", "false"}))


def _is_key(sample: Sample, column: str) -> bool:
    """Whether each of the first rows has a value of its own, as ids have."""
    values = sample.values(column)
    return len(values) == len(sample.rows) == len(set(values)) > 1


def _control(labels: Sequence[str], words: Iterable[str]) -> str:
    plain = {_plain(label): label for label in labels}
    return next((plain[word] for word in words if word in plain), "")


def _named(columns: Iterable[str], words: Sequence[str], *, within: bool = True) -> str:
    """The first column that is one of the words, else the first that begins or ends with one of three letters or more.

    Two letters of Hangul say as much as three Latin ones.
    """
    plain = {_plain(column): column for column in reversed(list(columns))}
    exact = next((plain[word] for word in words if word in plain), "")
    if exact or not within:
        return exact
    long = [word for word in words if len(word) >= 3 or (len(word) == 2 and re.search("[가-힣]", word))]
    return next((plain[name] for word in long for name in plain if name.startswith(word) or name.endswith(word)), "")


def _plain(name: str) -> str:
    return re.sub(r"[\s._\-()]+", "", name).lower()
