"""Name and hypothesis that Insight makes of a moment: each reader gets their language, also in forms."""

from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from aha.made_names import new_moment_name
from aha.models import AhaMoment
from experiments.models import Experiment
from experiments.plan.stored import plan_of
from tests.aha.test_made_names import Claim

pytestmark = pytest.mark.django_db
NAME = {"en": "Friend add 3+ nudge", "ko": "Friend add 3+ 넛지"}
SAYS = {"en": "more of them stay (retention on days 15–21)", "ko": "더 많이 남습니다("}


def moment() -> AhaMoment:
    """A moment that nobody named."""
    made = new_moment_name(Claim())
    claim = {"behaviour": "friend_add", "times": 3, "days": 7, "retention": "week:3"}
    return AhaMoment.objects.create(key="friends", name=made, signup_event="signup", **claim)


def draft_by(client: Client, language: str) -> Experiment:
    """A person opens the first step from a moment, changes nothing, and stores it."""
    asked: dict[str, Any] = {"headers": {"accept-language": language}}
    path = f"/experiments/-/new/?moment={moment().key}"
    form = client.get(path, **asked).context["form"]
    given = {name: form[name].value() for name in ("name", "hypothesis")}
    assert given["name"] == NAME[language]
    assert SAYS[language] in given["hypothesis"]
    client.post(path, {**given, "moment": form["moment"].value(), "key": ""}, follow=True, **asked)
    return Experiment.objects.get()


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["en", "ko"])
def test_draft__texts_left_as_made__reads_in_each_language(admin_client: Client, maker: str) -> None:
    row = draft_by(admin_client, maker)

    for reader in ("en", "ko"):
        headers = {"accept-language": reader}
        for path in (f"/experiments/{row.key}/", "/experiments/", f"/experiments/{row.key}/plan/review/"):
            shown = admin_client.get(path, headers=headers).content.decode()
            assert NAME[reader] in shown, (reader, path)
            assert NAME["ko" if reader == "en" else "en"] not in shown, (reader, path)
        step = admin_client.get(f"/experiments/{row.key}/plan/hypothesis/", headers=headers).context["form"]
        assert SAYS[reader] in step["hypothesis"].value()


def test_draft__saved_again_by_a_korean_reader__keeps_made_texts(admin_client: Client) -> None:
    row = draft_by(admin_client, "en")
    path, headers = f"/experiments/{row.key}/plan/hypothesis/", {"accept-language": "ko"}
    form = admin_client.get(path, headers=headers).context["form"]
    given = {name: form[name].value() for name in ("name", "moment", "hypothesis")}

    admin_client.post(path, given, headers=headers)

    row.refresh_from_db()
    assert row.name == NAME["en"]
    assert SAYS["en"] in row.hypothesis


@pytest.mark.slow
def test_draft__own_words__stay_in_both_languages(admin_client: Client) -> None:
    row = draft_by(admin_client, "en")
    path = f"/experiments/{row.key}/plan/hypothesis/"

    admin_client.post(path, {"name": "친구 셋", "moment": row.moment_id, "hypothesis": "Friends keep friends."})

    for reader in ("en", "ko"):
        shown = admin_client.get(f"/experiments/{row.key}/", headers={"accept-language": reader}).content.decode()
        assert "친구 셋" in shown
        assert "Friends keep friends." in shown


def test_plan__moment_that_nobody_named__has_one_hash_in_all_languages(admin_client: Client) -> None:
    row = draft_by(admin_client, "ko")

    with translation.override("ko"):
        korean = plan_of(row)

    assert korean.claim == plan_of(row).claim
