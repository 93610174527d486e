"""What strangers see of the home page, and the demo's report: in both languages, under a strict policy."""

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from aha.models import Study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("language", "words"), [("en", "stay because of it?"), ("ko", "그 행동 때문에")])
def test_home__stranger__reads_what_it_is_and_no_data(
    client: Client, folder: Path, db: None, language: str, words: str
) -> None:
    Study.objects.create(title="Secret study")

    answer = client.get("/", headers={"accept-language": language})

    text = answer.content.decode()
    assert answer.status_code == 200
    assert words in text
    assert "/login/" in text
    assert "Secret study" not in text
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


def test_demo_report__made__is_served_without_script(client: Client, folder: Path) -> None:
    (folder / "demo").mkdir()
    (folder / "demo" / "report.html").write_text("<!doctype html>report", encoding="utf-8")

    answer = client.get("/demo/en/")

    assert b"".join(answer.streaming_content) == b"<!doctype html>report"  # type: ignore[attr-defined]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize("path", ["/demo/ko/", "/demo/..%2Fsecret_key/", "/demo/fr/"])
def test_demo_report__absent_or_invented__is_not_found(client: Client, folder: Path, path: str) -> None:
    (folder / "secret_key").write_text("x")

    assert client.get(path).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("en", "There is no such page"), ("ko", "그런 페이지가 없습니다")])
def test_unknown_page__in_the_readers_language__leads_back(client: Client, language: str, words: str) -> None:
    answer = client.get("/nowhere/", headers={"Accept-Language": language})

    assert answer.status_code == 404
    assert words in answer.content.decode()
    assert 'href="/"' in answer.content.decode()


@pytest.mark.django_db
def test_refused_page__says_so_with_a_way_back(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))

    answer = client.get("/aha/studies/new/")

    assert answer.status_code == 403
    assert "Your role doesn" in answer.content.decode()
