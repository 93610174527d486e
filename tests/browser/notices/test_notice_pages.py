"""What I hear, and the digest, in a real browser and both languages: choose, keep, unsubscribe, open the page."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone, translation
from django.utils.translation import gettext

from aha.models import AhaMoment, KeptReach
from aha.moments.reach import WEEKS
from experiments.models import Experiment
from insight_site.models import Digest, NoticeChoice, Preference
from insight_site.notify.digest import gather
from insight_site.notify.digest_letters import RECORD
from insight_site.notify.preferences import PERSON, stop_link
from tests.experiments.make_readout import started
from tests.insight_site.notices.test_telling import weeks
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
LANGUAGES = pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))


def said(text: str, language: str) -> str:
    with translation.override(language):
        return gettext(text)


def fits(page: Any) -> None:
    """Nothing stands out to the side, from a telephone to a wide screen."""
    for width in (360, 800, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


@LANGUAGES
def test_preferences__a_person_changes_them_and_unsubscribes_by_a_link(
    open_page: Callable[..., Any], pm: User, live_server: Any, settings: Any, language: str
) -> None:
    Preference.objects.create(user=pm, language=language)
    page = open_page(language, pm)
    page.goto("/account/")
    page.locator("main a[href='/account/notices/']").click()
    page.wait_for_url("**/account/notices/")
    assert page.locator("h1").inner_text() == said("Notifications", language)
    fits(page)

    page.locator("#id_verdict").select_option("daily")
    page.locator("#id_started").select_option("never")
    page.locator("input[name=everything][value='1']").check()
    page.locator("#choices button[type=submit]").click()
    page.wait_for_selector("ul.messages")
    assert page.locator("#id_verdict").input_value() == "daily"
    assert page.locator("input[name=everything][value='1']").is_checked()
    choice = NoticeChoice.objects.get(user=pm)
    assert (choice.timings["verdict"], choice.timings["started"], choice.everything) == ("daily", "never", True)

    page.fill("#id_url", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    page.fill("#id_name", "Mine")
    page.locator("#places form[action$='/places/'] button").click()
    page.wait_for_selector("#places td:has-text('Mine')")
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in page.content()
    page.locator("#places button[name=remove]").click()
    page.wait_for_selector("#places td:has-text('Mine')", state="detached")

    stranger = open_page(language)
    stranger.goto(stop_link(PERSON, pm.pk, "verdict").removeprefix(settings.NOTICES.site))
    fits(stranger)
    stranger.locator("main button[name=kind]").click()
    stranger.wait_for_selector("[role=status]")
    choice.refresh_from_db()
    assert choice.timings["verdict"] == "never"


@LANGUAGES
def test_digest__opened_as_a_page_and_by_a_link(open_page: Callable[..., Any], pm: User, language: str) -> None:
    row = started(name="Hint: add friends")
    Experiment.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=1))
    moment = AhaMoment.objects.create(key="m", name="Three friends", behaviour="f", times=3, days=7)
    KeptReach.objects.create(moment=moment, weeks=WEEKS.store(weeks([0.3] * 10)), counted_at=timezone.now())
    Digest.objects.create(
        week=date(2026, 1, 5),
        record=RECORD.store(gather(timezone.localdate() - timedelta(days=7))),
        made_at=timezone.now(),
    )
    Preference.objects.create(user=pm, language=language)
    page = open_page(language, pm)

    page.goto("/digest/")

    assert said("What ran", language) in page.inner_text("main")
    assert "Hint: add friends" in page.inner_text("main")
    assert page.locator("#moments svg circle").count() == 10
    fits(page)
    page.locator("form[action$='/share/'] button").click()
    page.wait_for_selector("code.link")
    link = page.locator("code.link").inner_text()
    stranger = open_page(language)
    stranger.goto(link)
    fits(stranger)
    assert "Hint: add friends" in stranger.inner_text("body")
    assert stranger.evaluate("document.querySelector('img').naturalWidth") == 440
