"""Find pages, actions and things by a few letters: for the palette of every page (⌘K) and for the search page.

A person finds only what they may open. Names in both languages are searched, whichever language is shown. Events come
from the stored catalogue, so that no request reads the event store.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy

from events.calendar.happened import written
from events.catalogue import labels
from events.catalogue.listing import catalogue
from events.upkeep.text_search import search, words_of
from events.upkeep.thing_kinds import thing_kinds
from insight_site.boards import board_services
from insight_site.pages import method_pages
from insight_site.pages.glossary_terms import TERMS
from reporting.date_marks import days_said

MOST = 20  # hits of one answer
EACH = 4  # of one kind of things, events, terms or methods
OFFERED = 8  # pages offered before anything is typed


@dataclass(frozen=True)
class Place:
    """A page, or the beginning of something new: its route, its name, and the permission that opens it ("": anybody).

    `also` holds further words under which people look for it.
    """

    route: str
    name: Any
    permission: str = ""
    also: str = ""


@dataclass(frozen=True)
class Found:
    """One hit: its name, a note such as its kind, and its address."""

    title: str
    note: str
    url: str


@dataclass(frozen=True)
class Group:
    """Hits under one heading."""

    name: str
    hits: tuple[Found, ...]


PAGES = (
    Place("home", gettext_lazy("Today"), also="home first page 홈"),
    Place("events:overview", gettext_lazy("Data"), "events.view_source", "sources store health"),
    Place("events:list", gettext_lazy("Events"), "events.view_eventlabel"),
    Place("events:live", gettext_lazy("Live"), "events.view_source", "newest events stream 실시간"),
    Place("events:metrics", gettext_lazy("Metrics"), "events.view_metric", "kpi"),
    Place(
        "events:calendar",
        gettext_lazy("What happened"),
        "events.view_calendarentry",
        "calendar release campaign outage 캘린더 릴리스",
    ),
    Place(
        "launches:list",
        gettext_lazy("Launches"),
        "launches.view_launch",
        "launch release event effect suggestion 론치 출시 효과",
    ),
    Place(
        "launches:balances",
        gettext_lazy("Event balance"),
        "launches.view_balancerun",
        "event balance rewards points thresholds cost 이벤트 보상 점수 밸런스",
    ),
    Place(
        "growth:newest",
        gettext_lazy("Growth"),
        "launches.view_growthforecast",
        "growth forecast active users lever 성장 예측 활성 사용자",
    ),
    Place("connect:start", gettext_lazy("Connect a service"), "events.view_source", "key sdk snippet source"),
    Place("connect:check", gettext_lazy("Are the data right?"), "events.view_source", "check quality"),
    Place("explore:start", gettext_lazy("Explore"), also="retention funnel chart 리텐션 퍼널"),
    Place("explore:saved", gettext_lazy("Saved views")),
    Place("boards:list", gettext_lazy("Boards"), also="dashboard cards 대시보드"),
    Place("segments:list", gettext_lazy("Segments"), also="groups cohort 코호트"),
    Place("segments:find_user", gettext_lazy("Segment membership of users"), "segments.view_membership", "find user"),
    Place("segments:compare", gettext_lazy("Compare two segments")),
    Place("audiences:list", gettext_lazy("Audiences"), "insight_site.view_audience", "export sync"),
    Place("aha:studies", gettext_lazy("Studies"), also="aha discovery"),
    Place("aha:moments", gettext_lazy("AHA moments")),
    Place("experiments:list", gettext_lazy("Experiments"), also="ab test 실험"),
    Place("experiments:calendar", gettext_lazy("Calendar of tests"), also="weeks collide overlap schedule 일정"),
    Place(
        "experiments:six_weeks",
        gettext_lazy("What can we decide in six weeks?"),
        "experiments.view_experiment",
        "power effect size 6주",
    ),
    Place(
        "experiments:judge",
        gettext_lazy("Judge a finished test"),
        "experiments.add_finishedtest",
        "upload csv past experiment 끝난 실험",
    ),
    Place("experiments:calibration", gettext_lazy("Predicted vs measured"), also="calibration win rate"),
    Place("experiments:causes_map", gettext_lazy("Map of causes"), also="which behaviour joint cause 원인"),
    Place("experiments:compare", gettext_lazy("Compare two experiments")),
    Place("experiments:reviews", gettext_lazy("Reviews"), also="approve approval 승인"),
    Place("experiments:templates", gettext_lazy("Templates for plans")),
    Place("experiments:overlap", gettext_lazy("Overlap"), also="shared users"),
    Place("experiments:holdouts", gettext_lazy("Holdout reports")),
    Place("environments:overview", gettext_lazy("Environments"), "experiments.view_experiment", "staging promote"),
    Place("selftest:list", gettext_lazy("Self-test"), "insight_site.view_selftest", "calibration planted"),
    Place("digest", gettext_lazy("Weekly digest"), "experiments.view_experiment", "mail letter"),
    Place("upkeep:hygiene", gettext_lazy("To tidy up"), also="hygiene archive"),
    Place("upkeep:tags", gettext_lazy("Tags")),
    Place("glossary", gettext_lazy("Terms"), also="glossary words 용어"),
    Place("whats_new", gettext_lazy("What's new"), also="changelog version release 업데이트"),
    Place("methods", gettext_lazy("Methods"), also="formulas statistics 통계"),
)
NEW = (
    Place("aha:new_study", gettext_lazy("New study"), "aha.add_study", "aha discovery"),
    Place("experiments:new_plan", gettext_lazy("Plan an experiment"), "experiments.add_experiment", "new test ab 실험"),
    Place("events:new_metric", gettext_lazy("New metric"), "events.add_metric", "kpi"),
    Place("boards:list", gettext_lazy("New board"), "insight_site.add_board", "dashboard 대시보드"),
    Place("aha:new_moment", gettext_lazy("New AHA moment"), "aha.add_ahamoment"),
    Place("segments:new_rule", gettext_lazy("New segment by rule"), "segments.add_segmentversion", "cohort 코호트"),
    Place("segments:new_run", gettext_lazy("Find play styles"), "segments.add_segmentationrun", "cluster segmentation"),
    Place("audiences:new", gettext_lazy("New audience"), "insight_site.add_audience", "export"),
    Place("events:import", gettext_lazy("Import a file"), "events.add_fileimport", "csv upload 가져오기"),
    Place(
        "experiments:new_holdout_plan", gettext_lazy("Plan a holdout report"), "experiments.add_holdoutplan", "holdout"
    ),
)
SETTINGS = (
    Place("account", gettext_lazy("Your account"), also="settings password language theme sessions 설정 비밀번호"),
    Place("notices", gettext_lazy("Notifications"), also="settings mail slack 알림"),
    Place("mfa_index", gettext_lazy("Second factor"), also="settings security passkey 2fa 보안"),
    Place("site_zone", gettext_lazy("Time zone of the site"), "runs.change_sitezone", "settings utc clock 시간대"),
    Place("admin:index", gettext_lazy("Admin"), "staff", "settings administration 관리"),
    Place(
        "admin:insight_site_apikey_changelist", gettext_lazy("API keys"), "staff insight_site.view_apikey", "settings"
    ),
    Place("admin:auth_user_changelist", gettext_lazy("People"), "staff auth.view_user", "accounts users roles"),
    Place("api_docs", gettext_lazy("REST interface"), also="api openapi swagger"),
)


def find(user: User | AnonymousUser, typed: str) -> list[Group]:
    """What a person may open, by group; without a text some pages and everything that they may begin.

    Args:
        user: the reader.
        typed: parts of words; each must occur in a name, in either language.
    """
    words = words_of(typed)
    if not words:
        first = (Group(gettext("Go to"), tuple(_places(user, PAGES, ())[:OFFERED])),)
        return _kept([*first, Group(gettext("New"), tuple(_places(user, NEW, ()))[:MOST])])
    return _kept([*pages_found(user, typed), *_things(user, words), *references_found(user, typed)])


def pages_found(user: User | AnonymousUser, typed: str) -> list[Group]:
    """Pages, beginnings and settings that contain every word."""
    words = _plain(words_of(typed))
    groups = ((gettext("Go to"), PAGES), (gettext("New"), NEW), (gettext("Settings"), SETTINGS))
    return _filled(Group(name, tuple(_places(user, places, words)[:EACH])) for name, places in groups)


def references_found(user: User | AnonymousUser, typed: str) -> list[Group]:
    """Boards, entries of the calendar, events, terms and method pages that contain every word."""
    words = _plain(words_of(typed))
    groups: tuple[tuple[str, Callable[..., Iterator[Found]]], ...] = (
        (gettext("Boards"), _boards),
        (gettext("What happened"), _happened),
        (gettext("Events"), _events),
        (gettext("Terms"), _terms),
        (gettext("Methods"), _methods),
    )
    return _filled(Group(name, tuple(find_some(user, words))) for name, find_some in groups)


def _kept(groups: Sequence[Group]) -> list[Group]:
    """The groups with at most `MOST` hits in all; those of the same name become one."""
    kept: dict[str, list[Found]] = {}
    left = MOST
    for group in groups:
        hits = group.hits[:left]
        left -= len(hits)
        kept.setdefault(group.name, []).extend(hits)
    return _filled(Group(name, tuple(hits)) for name, hits in kept.items())


def _filled(groups: Any) -> list[Group]:
    return [group for group in groups if group.hits]


def _places(user: User | AnonymousUser, places: Sequence[Place], words: Sequence[str]) -> list[Found]:
    """Places that this person may open and that contain every word; names that begin with the first come first."""
    found = []
    for place in places:
        text = _names(place.route, str(_message(place.name)), place.also)
        if _holds(text, words) and _may(user, place):
            title = str(place.name)
            late = bool(words) and not _fold(title).startswith(words[0])
            found.append((late, Found(title, "", reverse(place.route))))
    return [hit for _late, hit in sorted(found, key=lambda pair: pair[0])]


def _may(user: User | AnonymousUser, place: Place) -> bool:
    needed = place.permission.split()
    if "staff" in needed and not getattr(user, "is_staff", False):
        return False
    return all(user.has_perm(name) for name in needed if name != "staff")


def _message(name: Any) -> str:
    """The English message of a lazy translation."""
    with translation.override("en"):
        return str(name)


@lru_cache(maxsize=512)
def _names(route: str, message: str, also: str) -> str:
    """The name of a place in every language, with its further words."""
    texts = [message, also]
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            texts.append(gettext(message))
    return _fold(" ".join(texts))


def _things(user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Group]:
    for kind in thing_kinds():
        if user.has_perm(kind.permission("view")):
            hits = search([kind], words, limit=EACH).hits
            yield Group(capfirst(str(kind.plural)), tuple(Found(hit.title, hit.state, hit.url) for hit in hits))


def _boards(user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Found]:
    rows = board_services.visible_to(user)
    found = [row for row in rows if _holds(_fold(row.name), words)]
    for row in found[:EACH]:
        yield Found(row.name, gettext("of the team") if row.team else "", reverse("boards:page", args=[row.pk]))


def _happened(user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Found]:
    """Entries that somebody wrote down, the newest first; experiments and rollouts are found as themselves."""
    if not user.has_perm("events.view_calendarentry"):
        return
    for row in written(*words)[:EACH]:
        note = f"{row.get_kind_display()}, {days_said(row.starts, row.ends or row.starts)}"
        yield Found(row.title, note, f"{reverse('events:calendar')}?{urlencode({'q': row.title})}")


def _events(user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Found]:
    if not user.has_perm("events.view_eventlabel"):
        return
    table = labels.table()
    left = EACH
    for name in (entry.name for entry in catalogue().events):
        row = table.get((name, ""))
        text = _fold(" ".join([name, *(() if row is None else (row.name_en, row.name_ko))]))
        if left and _holds(text, words) and not (row is not None and row.hidden):
            left -= 1
            shown = labels.label(name)
            yield Found(shown, name if shown != name else "", f"{reverse('events:event')}?{urlencode({'name': name})}")


def _terms(_user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Found]:
    found = [term for terms in TERMS.values() for term in terms if _holds(_names("", term.name, term.slug), words)]
    for term in found[:EACH]:
        yield Found(gettext(term.name), "", f"{reverse('glossary')}#{term.slug}")


def _methods(_user: User | AnonymousUser, words: Sequence[str]) -> Iterator[Found]:
    found = [pair for pair in method_pages.titles() if _holds(_fold(" ".join(pair)), words)]
    for slug, title in found[:EACH]:
        yield Found(title, "", reverse("method", args=[slug]))


def _holds(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(_fold(word) for word in words)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
