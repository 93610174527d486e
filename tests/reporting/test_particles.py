"""Particles after names, numbers and Hangul, as a Korean reader says them aloud."""

import pytest
from django.test import Client
from django.utils import translation

from reporting.words import fit, fitted
from runs.refusals import Refused


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("넛지은(는)", "넛지는"),
        ("실험은(는)", "실험은"),
        ("'pets'이(가)", "'pets'가"),
        ("chat이(가)", "chat이"),
        ("friend_add을(를)", "friend_add를"),
        ("shop을(를)", "shop을"),
        ("channel(으)로", "channel로"),
        ("서울(으)로", "서울로"),
        ("부산(으)로", "부산으로"),
        ("경기(으)로", "경기로"),
        ("7(으)로", "7로"),
        ("3(으)로", "3으로"),
        ("2은(는)", "2는"),
        ("10이(가)", "10이"),
        ("22.9%은(는)", "22.9%는"),
        ("<b>실험</b>을(를)", "<b>실험</b>을"),
        ("&#x27;pets&#x27;과(와)", "&#x27;pets&#x27;와"),
        ("KPI와(과)", "KPI와"),
        ("ARM은(는)", "ARM은"),
        ("은(는)", "은(는)"),
        ("단위(배)", "단위(배)"),
    ],
)
def test_fit__as_it_is_read_aloud(written: str, read: str) -> None:
    assert fit(written) == read


def test_fitted__with_its_fields__has_one_particle() -> None:
    assert fitted("{key}이(가) 없습니다.").format(key="nudge") == "nudge가 없습니다."
    assert fitted("%(key)s이(가) 없습니다.") % {"key": "실험"} == "실험이 없습니다."


def test_refusal__in_korean__has_the_particle_of_its_name() -> None:
    with translation.override("ko"):
        assert str(Refused("There is no experiment '{key}'.", key="pets")) == "실험 'pets'가 없습니다."


@pytest.mark.django_db
def test_page__in_korean__has_no_double_particle(client: Client) -> None:
    with translation.override("ko"):
        wrong = client.post("/login/", {"username": "a", "password": "b"}, headers={"Accept-Language": "ko"})

    assert "올바른" in wrong.content.decode()
    assert "(과)" not in wrong.content.decode()
    assert wrong.headers["Content-Length"] == str(len(wrong.content))
