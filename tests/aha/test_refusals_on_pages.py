"""What the services of AHA discovery refuse, on pages: at its field, in the reader's language, without dashes."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.models import Study

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename="add_study"))
    client.force_login(person)
    return client


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Signed up until: nobody signed up in these dates."), ("ko", "이 기간에 가입한 사용자가 없습니다.")],
)
def test_study_page__failed_by_an_option__names_the_field_without_dashes(
    editor: Client, language: str, said: str
) -> None:
    study = Study.objects.create(status="failed", reason="--from and --to: nobody signed up in these dates.")

    urls = (f"/aha/studies/{study.pk}/", "/aha/studies/")
    pages = [editor.get(url, headers={"accept-language": language}).content.decode() for url in urls]

    assert all(said in page for page in pages)
    assert not any("--from" in page for page in pages)
