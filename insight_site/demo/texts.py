"""What the demo writes for people, in the language that it is made in, and its events' names in Korean."""

from django.conf import settings
from django.utils.translation import gettext, gettext_noop, override

from events.catalogue.labels import save_label
from events.models import EventLabel

STUDY = gettext_noop("Demo: what keeps new players")
# Names of three past experiments.
EARLIER_TESTS = (
    gettext_noop("Tutorial with friends, two years ago"),
    gettext_noop("Friends at the first quest, last year"),
    gettext_noop("Personal letter to new players, last year"),
)
# What the team writes down of its week: a calendar, a launch, an event.
WEEK = RELEASE, CAMPAIGN, OUTAGE, LAUNCH, EVENT = (
    gettext_noop("Version 4.2"),
    gettext_noop("Autumn campaign"),
    gettext_noop("Login was down for two hours"),
    gettext_noop("A new shop window"),
    gettext_noop("Week of battles"),
)
KOREAN_EVENTS = {
    "signup": "가입",
    "friend_add": "친구 추가",
    "craft": "제작",
    "battle": "전투",
    "shop": "상점 방문",
    "chat": "채팅",
    "browse": "둘러보기",
    "settings_open": "설정 열기",
    "error_seen": "오류 표시",
    "rotate": "화면 회전",
    "mute": "음소거",
    "help_open": "도움말 열기",
    "ad_seen": "광고 시청",
    "screenshot": "화면 캡처",
    "tutorial_step": "튜토리얼 단계",
}


def in_every_language(*texts: str) -> set[str]:
    """Texts of the demo as it may have written them, in whatever language it was made."""
    found: set[str] = set()
    for language, _name in settings.LANGUAGES:
        with override(language):
            found |= {gettext(text) for text in texts}
    return found


def name_events() -> None:
    """Give the events their Korean names, as a Korean team has them."""
    for event, name in KOREAN_EVENTS.items():
        row, _ = EventLabel.objects.get_or_create(event=event, property="")
        row.name_ko = name
        save_label(row, renamed=False)
