"""The admin: a PM drafts, starts, amends and tests; refusals are sentences by name, and nothing changes by a link."""

from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.models import AhaMoment
from experiments.models import Amendment, Experiment, Holdout, Layer
from tests.experiments.make import draft, running
from tests.experiments.stored import MOMENT

pytestmark = pytest.mark.django_db
LIST = "/admin/experiments/experiment/"
PLAN = {
    "key": "guild",
    "flag_key": "guild",
    "name": "Guild",
    "hypothesis": "It helps.",
    "value_type": "string",
    "default_value": "none",
    "primary_metrics": "window:14-20",
    "method": "fixed",
    "alpha": "0.05",
    "power": "0.8",
    "smallest_effect": "0.02",
    "planned_units": "1000",
    "planned_end": "2099-01-01",
    "enrolment": "all",
    "looks": "",
    "covariates": "",
    "spending": "obrien_fleming",
    "otherwise": "ask",
    "signup_event": "signup",
    "clock": "exposure",
    "day_mode": "rolling",
    "churn_gap": "7",
}


def rows(prefix: str, *given: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The fields of an inline."""
    found: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(given), f"{prefix}-INITIAL_FORMS": initial}
    for at, row in enumerate(given):
        found |= {f"{prefix}-{at}-{name}": value for name, value in row.items()}
    return found


def page(
    *, arms: Any = None, audience: Any = (), overrides: Any = (), initial: int = 0, **changes: Any
) -> dict[str, Any]:
    """A whole form as a browser sends it."""
    two = (
        {"key": "control", "value": "none", "weight": "50", "role": "nudge"},
        {"key": "banner", "value": "b", "weight": "50", "role": "nudge"},
    )
    return {
        **PLAN,
        **changes,
        **rows("variants", *(two if arms is None else arms), initial=initial),
        **rows("audience", *audience),
        **rows("overrides", *overrides),
        **rows("amendments"),
    }


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def problems(answer: Any) -> Any:
    form = answer.context.get("adminform")
    return (form.form.errors, [one.formset.errors for one in answer.context["inline_admin_formsets"]]) if form else None


def test_add__whole_plan__is_a_draft_in_steps(admin_client: Client) -> None:
    given = page(audience=[{"segment_key": "", "coverage": "12.5", "weights": "30, 70"}])

    answer = admin_client.post(f"{LIST}add/", given, follow=True)

    row = Experiment.objects.filter(key="guild").first()
    assert row is not None, problems(answer)
    assert list(row.variants.values_list("position", "key", "value", "weight")) == [
        (0, "control", "none", 5_000),
        (1, "banner", "b", 5_000),
    ]
    assert list(row.audience.values_list("segment_key", "coverage", "weights")) == [(None, 1_250, [3_000, 7_000])]
    assert (row.primary_metrics, row.created_by) == (["window:14-20"], User.objects.get())
    assert row.history.get().history_user == User.objects.get()


def test_lab__added_and_changed__gets_its_groups_from_the_lines_of_its_nudges(admin_client: Client) -> None:
    moment = AhaMoment.objects.create(**MOMENT)
    lines = "pals | friend_add | 3 | 50 | 10 | 0\nchat | chat | 1 | 30 | 10 | 2 | Chat | A hint."
    lab: dict[str, Any] = {"kind": "lab", "moment": moment.pk, "nudges": lines}

    answer = admin_client.post(f"{LIST}add/", page(arms=(), **lab), follow=True)

    row = Experiment.objects.filter(key="guild").first()
    assert row is not None, problems(answer)
    assert list(row.variants.values_list("key", "weight")) == [
        ("none", 3_500), ("pals", 3_500), ("chat", 1_500), ("pals.chat", 1_500)
    ]  # fmt: skip
    form = admin_client.get(f"{LIST}{row.pk}/change/")
    assert lines in unescape(form.content.decode())
    assert "variants-TOTAL_FORMS" not in form.content.decode()
    given = {name: value for name, value in page(arms=(), **lab, most_nudges="1").items() if "variants" not in name}
    answer = admin_client.post(f"{LIST}{row.pk}/change/", given, follow=True)
    assert row.variants.count() == 3, problems(answer)


@pytest.mark.parametrize(
    "changes", [{"primary_metrics": "nothing"}, {"key": ""}, {"arms": [{"key": "a", "value": "x", "weight": "101"}]}]
)
def test_add__what_can_not_be__is_shown_again(admin_client: Client, changes: dict[str, Any]) -> None:
    answer = admin_client.post(f"{LIST}add/", page(**changes))

    assert (answer.status_code, Experiment.objects.count()) == (200, 0)


def test_change__of_a_draft__replaces_arms_and_writes_once(admin_client: Client) -> None:
    admin_client.post(f"{LIST}add/", page())
    row = Experiment.objects.get()
    first, second = row.variants.all()
    arms = [
        {"id": first.pk, "key": "control", "value": "none", "weight": "20", "role": "nudge"},
        {"id": second.pk, "key": "banner", "value": '{"a": 1}', "weight": "80", "role": "placebo"},
    ]

    answer = admin_client.post(f"{LIST}{row.pk}/change/", page(arms=arms, initial=2, alpha="0.1"), follow=True)

    row.refresh_from_db()
    assert (row.alpha, row.version) == (0.1, 2), problems(answer)
    assert [(arm.weight, arm.value) for arm in row.variants.all()] == [(2_000, "none"), (8_000, {"a": 1})]
    assert [arm.role for arm in row.variants.all()] == ["nudge", "placebo"]


@pytest.mark.slow
def test_change__of_a_started_one__changes_nothing(admin_client: Client) -> None:
    row = running("guild")
    given = page(alpha="0.4", name="Other")

    admin_client.post(f"{LIST}{row.pk}/change/", given, follow=True)

    row.refresh_from_db()
    assert (row.alpha, row.name, row.status) == (0.05, "guild", "running")
    assert row.variants.count() == 2


@pytest.mark.parametrize("started", [False, True])
def test_pages__of_a_draft_and_a_started_one__open(admin_client: Client, started: bool) -> None:
    row = running("guild") if started else draft("guild")

    pages = ["change", "clone", "size"]
    answers = {
        name: admin_client.get(f"{LIST}{row.pk}/{name}/" if name == "change" else _detail(row, name)) for name in pages
    }

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(pages, 200)
    assert ('name="alpha"' in answers["change"].content.decode()) is not started
    row.refresh_from_db()
    assert row.status == ("running" if started else "draft")


def _detail(row: Experiment, name: str) -> str:
    from django.urls import reverse

    return reverse(f"admin:experiments_experiment_{name.replace('-', '_')}", args=[row.pk])


def _do(action: str, row: Experiment) -> str:
    return f"/experiments/{row.key}/do/{action}/"


def test_do__asked_by_a_link__says_what_will_happen_and_changes_nothing(admin_client: Client) -> None:
    row = running("guild")

    page = admin_client.get(_do("stop", row)).content.decode()

    row.refresh_from_db()
    assert row.status == "running"
    assert "Everybody gets the value outside the experiment at once, the 0 users who are in, too." in page
    assert "The plan asks for 1,000 users" in page


def test_do__confirmed_with_a_note__moves_it_and_keeps_who_and_why(admin_client: Client) -> None:
    row = draft("guild")

    answer = admin_client.post(_do("start", row), {"why": "go"}, follow=True)

    row.refresh_from_db()
    assert (row.status, said(answer)) == ("running", ["guild runs now."])
    last = row.history.first()
    assert (last.history_change_reason, last.history_user) == ("go", User.objects.get())


def test_do__refused_start__is_explained_with_the_step_that_mends_it(admin_client: Client) -> None:
    row = draft("guild", hypothesis="")

    page = admin_client.post(_do("start", row)).content.decode()

    row.refresh_from_db()
    assert row.status == "draft"
    assert "The plan needs a hypothesis." in page
    assert "/plan/hypothesis/" in page


def test_do__what_the_state_does_not_know__is_refused_in_a_sentence(admin_client: Client) -> None:
    row = draft("guild")

    assert "it can only be started or archived" in admin_client.get(_do("stop", row)).content.decode()
    assert admin_client.get(_do("explode", row)).status_code == 404


def test_list_action__on_three__asks_then_does_what_it_can_and_names_each_refusal(admin_client: Client) -> None:
    given = [draft("good"), draft("bad", hypothesis=""), running("live")]

    asked = admin_client.post(LIST, {"action": "start", "_selected_action": [row.pk for row in given]})
    assert Experiment.objects.filter(status="running").count() == 1  # nothing was done yet
    answer = admin_client.post(asked["Location"], {})

    page = answer.content.decode()
    assert said(answer) == ["good runs now."]
    assert "needs a hypothesis" in page
    assert "The experiment is running" in page
    assert sorted(Experiment.objects.values_list("key", "status")) == [
        ("bad", "draft"),
        ("good", "running"),
        ("live", "running"),
    ]


def test_amend__what_differs__is_logged(admin_client: Client) -> None:
    row = running("guild")
    given = {**PLAN, "planned_end": row.planned_end.isoformat(), "name": "guild", "alpha": "0.01", "why": "stricter"}  # type: ignore[union-attr]

    answer = admin_client.post(f"/experiments/{row.key}/amend/", given, follow=True)

    made = Amendment.objects.first()
    assert made is not None, answer.context["form"].errors
    assert (made.why, made.changes, made.by) == ("stricter", {"alpha": [0.05, 0.01]}, User.objects.get())


def test_raise_coverage_and_clone__through_their_pages(admin_client: Client) -> None:
    row = running("guild", audience=[{"coverage": 5_000}])

    admin_client.post(f"/experiments/{row.key}/coverage/", {"position": "0", "coverage": "60", "why": "well"})
    lower = admin_client.post(f"/experiments/{row.key}/coverage/", {"position": "0", "coverage": "10", "why": "oh"})
    admin_client.post(_detail(row, "clone"), {"key": "guild-b"})

    assert row.audience.get().coverage == 6_000
    assert "only grow" in lower.content.decode()
    assert Experiment.objects.get(key="guild-b").status == "draft"


def test_people__who_may_only_look__change_nothing() -> None:
    row = draft("guild")
    user = User.objects.create_user("ann", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_experiment"))
    client = Client()
    client.force_login(user)

    answers = [
        client.post(_do("start", row)),
        client.post(_detail(row, "clone"), {"key": "x"}),
        client.post(f"/experiments/{row.key}/amend/", {"why": "x"}),
    ]
    client.post(LIST, {"action": "start", "_selected_action": [row.pk]})

    assert [answer.status_code for answer in answers] == [403] * 3
    assert list(Experiment.objects.values_list("key", "status")) == [("guild", "draft")]


def test_layer_and_holdout__through_the_admin__obey_the_services(admin_client: Client) -> None:
    admin_client.post("/admin/experiments/layer/add/", {"key": "a b"})
    admin_client.post("/admin/experiments/layer/add/", {"key": "l", "name": "L"})
    for key in ("h1", "h2"):
        admin_client.post("/admin/experiments/holdout/add/", {"key": key, "share": "5", "active": "on"})

    assert list(Layer.objects.values_list("key", flat=True)) == ["l"]
    assert list(Holdout.objects.values_list("key", "share", "active")) == [("h1", 500, False), ("h2", 500, True)]
    assert admin_client.get(f"/admin/experiments/holdout/{Holdout.objects.first().pk}/change/").status_code == 200  # type: ignore[union-attr]


def test_change_page__of_a_started_one__tells_plan_health_and_the_next_actions(admin_client: Client) -> None:
    row = running("guild", name="Guild banner")

    page = admin_client.get(f"{LIST}{row.pk}/change/").content.decode()

    assert "Retained: active on at least one day from day 14 to day 20." in page
    assert "Nobody was assigned yet." in page
    assert 'href="/experiments/guild/"' in page
    assert 'name="_save"' not in page


def test_old_addresses__lead_to_the_site(admin_client: Client) -> None:
    row, other = running("guild"), running("other", flag_key="other")
    led = {
        path: admin_client.get(f"{LIST}{path}")["Location"]
        for path in (
            f"{row.pk}/history/",
            f"{row.pk}/amend/",
            f"{row.pk}/raise-coverage/",
            f"{row.pk}/testers/",
            f"do/stop/?id={row.pk}",
            f"do/pause/?id={row.pk}&id={other.pk}",
        )
    }

    assert list(led.values()) == [
        "/experiments/guild/history/",
        "/experiments/guild/amend/",
        "/experiments/guild/coverage/",
        "/experiments/guild/setup/",
        "/experiments/guild/do/stop/",
        "/experiments/-/do/pause/?key=guild&key=other",
    ]
    assert admin_client.get(f"{LIST}do/explode/?id={row.pk}").status_code == 404
    assert admin_client.get(f"{LIST}do/stop/?id=999").status_code == 404
    assert admin_client.get(f"{LIST}x/history/").status_code == 404


def test_list__nothing_there__says_what_to_do_next(admin_client: Client) -> None:
    empty = admin_client.get(LIST).content.decode()
    searched = admin_client.get(f"{LIST}?q=nowhere").content.decode()

    assert "Begin with a claim" in empty
    assert "/experiments/-/new/" in empty
    assert "No row fits this search and these filters." in searched
