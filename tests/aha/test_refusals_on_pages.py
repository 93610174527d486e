"""What the services of AHA discovery refuse, on pages: at its field, in the reader's language, without dashes."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.models import Study
from aha.study import studies
from runs.refusals import Refused
from tests.aha.test_views import ASKED

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(studies, "event_names", lambda: ["battle"])
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename="add_study"))
    client.force_login(person)
    return client


def test_new_study__service_refuses__sentence_stands_at_the_field(
    editor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(**_values: Any) -> Study:
        raise Refused(
            "there is no event {event!r}; the log has {names}.", at="signup-event", event="signup", names="a, b"
        )

    monkeypatch.setattr(studies, "start_study", start)

    answer, korean = (
        editor.post("/aha/studies/new/", ASKED, headers={"accept-language": language}) for language in ("en", "ko")
    )

    assert answer.context["form"].errors["signup_event"] == ["There is no event 'signup'; the log has a, b."]
    assert korean.context["form"].errors["signup_event"] == ["'signup' 이벤트가 없습니다. 로그에 있는 이벤트: a, b."]


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Signed up until: nobody signed up in these dates."), ("ko", "이 기간에 가입한 사용자가 없습니다.")],
)
def test_study_page__failed_by_an_option__names_the_field_without_dashes(
    editor: Client, language: str, said: str
) -> None:
    study = Study.objects.create(status="failed", reason="--from and --to: nobody signed up in these dates.")

    urls = (f"/aha/studies/{study.pk}/", "/aha/studies/", "/")
    pages = [editor.get(url, headers={"accept-language": language}).content.decode() for url in urls]

    assert all(said in page for page in pages)
    assert not any("--from" in page for page in pages)
