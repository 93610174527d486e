"""What happened, on the curves of pages: for those who may see the calendar, as it is now, and in no file."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from django.utils.safestring import mark_safe

from aha.models import Study
from events.calendar import entries
from events.calendar.entries import Written
from events.calendar.happened import marks
from events.models import CalendarEntry
from experiments.models import Analysis, Experiment
from insight_site.exports import pictures
from insight_site.models import Picture
from insight_site.pages import palette
from reporting.date_marks import MOST, DateAxis
from reporting.document import dump
from reporting.plain_svg import Sheet
from runs.kinds import kind_of
from tests.aha.make_report import INPUTS, result
from tests.aha.make_report import report as study_report
from tests.experiments.make import do, running

pytestmark = pytest.mark.django_db
MAY = "view_calendarentry"
MONDAY, LAST = date(2026, 1, 5), date(2026, 1, 11)


def person(*permissions: str) -> User:
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def write(title: str, starts: date, ends: date | None = None, **more: str) -> CalendarEntry:
    return entries.add(entry=Written("release", title, starts, ends, **more), by=None)


def seen(user: User, template: str, **values: Any) -> str:
    request = RequestFactory().get("/")
    request.user = user
    return str(Template("{% load happened reports %}" + template).render(Context({"request": request, **values})))


def curve() -> Sheet:
    sheet = Sheet("weeks", "", (0.0, 1.0), (0.0, 1.0))
    sheet.readings([(0, "first week")], periods=[(MONDAY, LAST)])
    return sheet


def around(user: User, **values: Any) -> str:
    """A page's curve of one week."""
    given = {"svg": mark_safe(curve().markup()), "dates": curve().dates, **values}
    return seen(user, "{% happened dates own %}{{ svg }}{% endhappened %}", **given)


def test_curve__of_a_reader_who_may_see_the_calendar__has_mark_words_and_list() -> None:
    write("4.2 <b>", MONDAY, link="https://example.com/4.2")
    write("too late", date(2026, 1, 12))

    text = around(person(MAY))

    assert '<g class="happened"' in text
    assert "first week&#10;▼ 4.2 &lt;b&gt;&#9;release, Jan 5, 2026" in text
    assert 'Jan 5, 2026: <a href="https://example.com/4.2" rel="noreferrer">4.2 &lt;b&gt;</a> (release)' in text
    assert "too late" not in text
    assert "<b>" not in text


def test_curve__of_a_reader_who_may_not_or_in_a_file__has_none() -> None:
    write("4.2", MONDAY)
    bare = curve().markup()

    assert around(person()) == bare
    assert around(User.objects.create_superuser("pm"), standalone=True) == bare
    assert around(User.objects.get(username="pm"), dates=DateAxis({})) == bare
    assert around(User.objects.get(username="pm")) != bare


def test_curve__of_an_experiment__has_all_but_its_own_start() -> None:
    for key in ("own", "other"):
        running(key)
        do(key, "stop")
        Experiment.objects.filter(key=key).update(started_at="2026-01-06T12:00Z", stopped_at="2026-01-08T12:00Z")

    row = Experiment.objects.get(key="own")
    found = marks(MONDAY, LAST, without=["/experiments/own/"])

    assert kind_of(Analysis(experiment=row)).home_url(Analysis(experiment=row)) == "/experiments/own/"
    assert [(mark.link, mark.first, mark.last) for mark in found] == [
        ("/experiments/other/", date(2026, 1, 6), date(2026, 1, 8))
    ]


@pytest.mark.parametrize(("n", "said"), [(MOST, False), (MOST + 1, True)])
def test_curve__of_many__draws_so_many_and_says_so(n: int, said: bool) -> None:
    for place in range(n):
        write(f"release {place}", MONDAY)

    text = around(person(MAY))

    assert text.count("<li>") == MOST
    assert (f"{MOST} of {n} are marked" in text) is said


@pytest.mark.slow
def test_stored_picture__of_a_study__shows_what_was_written_down_later() -> None:
    study = Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), **result(study_report()))
    pictures.draw_run("aha.Study", study.pk)
    before = bytes(Picture.objects.get(slug="weeks", language="en").content)
    user, template = person(MAY), '{% picture run "weeks" %}'

    first = seen(user, template, run=study)
    write("4.2", date(2026, 1, 7))
    second = seen(user, template, run=study)
    with translation.override("ko"):
        korean = seen(user, template, run=study)

    assert "happened" not in first
    assert "▼ 4.2&#9;release, Jan 7, 2026" in second
    assert "▼ 4.2&#9;릴리스, 2026년 1월 7일" in korean
    assert bytes(Picture.objects.get(slug="weeks", language="en").content) == before


def found(user: User, text: str) -> list[str]:
    return [hit.title for group in palette.find(user, text) if group.name == "What happened" for hit in group.hits]


@pytest.mark.parametrize("typed", ["SUMMER", "growth", "봄맞이", "sale growth"])
def test_search__by_title_owner_or_note__finds_the_entry(typed: str) -> None:
    write("Summer sale", MONDAY, owner="growth", note="봄맞이 할인")
    write("Other", MONDAY, owner="growth-other")

    hits = found(person(MAY), typed)

    assert "Summer sale" in hits
    assert ("Other" in hits) is (typed == "growth")


def test_search__of_a_reader_who_may_not_see_the_calendar__finds_none() -> None:
    write("Summer sale", MONDAY)

    assert found(person(), "summer") == []


def test_search_page__shows_kind_and_dates_with_the_way_there(client: Any) -> None:
    write("Summer sale", MONDAY, LAST)
    client.force_login(person(MAY))

    text = client.get("/search/", {"q": "summer"}).content.decode().replace("\u00a0", " ")

    assert 'href="/data/calendar/?q=Summer+sale">Summer sale</a>' in text
    assert "release, Jan 5, 2026 to Jan 11, 2026" in text


@pytest.mark.parametrize(("language", "dates"), [("en", "2026-01-05 – 2026-01-11"), ("ko", "2026-01-05~2026-01-11")])
def test_calendar__several_days__stand_as_the_language_writes_ranges(client: Any, language: str, dates: str) -> None:
    write("Summer sale", MONDAY, LAST)
    client.force_login(person(MAY))

    assert dates in client.get("/data/calendar/", headers={"accept-language": language}).content.decode()
