"""One page with tabs: what stands on them in each state, who may do what from it, and that all places agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from aha.models import Study
from aha.moments import promote
from experiments.models import Amendment, Analysis, Experiment, FlagAsk
from experiments.plan import amend, drafts
from experiments.status import overview
from tests.experiments.make import do, draft, running
from tests.experiments.make_readout import RUNNING, make_readout, make_result, started, stored

pytestmark = pytest.mark.django_db
TABS = ("", "health/", "plan/", "setup/", "history/")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    cache.clear()
    settings.EVENTS_URL = str(tmp_path / "events")  # not what a demo left in this checkout
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)
    monkeypatch.setattr("experiments.status.connection.first_events", lambda _row, *, ask: None)
    yield
    cache.clear()


def someone(role: str = "", *, staff: bool = False) -> Client:
    user = User.objects.create_user(role.replace(" ", "") or "reader", is_staff=staff)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def read(client: Client, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"accept-language": language})
    assert answer.status_code == 200, path
    return answer.content.decode().replace("\u00a0", " ")


# ── Tabs ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("tab", TABS)
def test_tabs__each__is_a_link_and_knows_where_it_is(tab: str) -> None:
    started()

    text = read(someone(), f"/experiments/exp/{tab}")

    for other in TABS:
        assert f'href="/experiments/exp/{other}"' in text
    assert f'<a href="/experiments/exp/{tab}" aria-current="page">' in text
    tabs = text[text.index('<nav class="tabs"') : text.index("</nav>", text.index('<nav class="tabs"'))]
    assert tabs.count("aria-current") == 1


@pytest.mark.parametrize("tab", TABS)
def test_tabs__nobody_logged_in__ask_for_a_login(client: Client, tab: str) -> None:
    started()

    assert client.get(f"/experiments/exp/{tab}").headers["Location"].startswith("/login/")


@pytest.mark.parametrize("state", ["draft", "running", "paused", "stopped", "concluded", "archived"])
def test_tabs__in_every_state__open_and_are_never_empty(state: str) -> None:
    draft("exp", hypothesis="An invitation keeps people.", nudge="A banner.")
    steps = {"draft": [], "running": ["start"], "paused": ["start", "pause"], "stopped": ["start", "stop"]}
    steps["concluded"] = [*steps["stopped"], "conclude"]
    steps["archived"] = [*steps["concluded"], "archive"]
    for action in steps[state]:
        do("exp", action)
    client = someone()

    for tab in TABS:
        read(client, f"/experiments/exp/{tab}")
    first = read(client, "/experiments/exp/")

    assert "An invitation keeps people." in first
    assert "A banner." in first


# One question more for each further row of a page would be seen here. Two of the first are asked while charts wait.
@pytest.mark.slow
@pytest.mark.parametrize(("tab", "most"), [("", 36), ("health/", 22), ("plan/", 32), ("setup/", 28), ("history/", 29)])
def test_tabs__questions_to_the_database__are_few(tab: str, most: int, django_assert_max_num_queries: Any) -> None:
    stored("exp", moment=True)
    for n in range(5):
        Analysis.objects.create(experiment=Experiment.objects.get(), status="failed", reason=f"{n}")
        amend.amend(key="exp", why=f"{n}", name=f"N{n}")
    client = someone("PM")
    client.get("/experiments/exp/")

    with django_assert_max_num_queries(most):
        assert client.get(f"/experiments/exp/{tab}").status_code == 200


@pytest.mark.slow
def test_list__of_many__asks_as_often_as_of_two(django_assert_max_num_queries: Any) -> None:
    for n in range(12):
        stored(f"e{n}", make_readout(key=f"e{n}"))
    client = someone()
    client.get("/experiments/")

    with django_assert_max_num_queries(14):
        client.get("/experiments/")


# ── One progress, one end, one pair of shares ─────────────────────────────────
@pytest.mark.slow
def test_progress_end_and_shares__on_every_page__are_the_same(admin_client: Client) -> None:
    stored("exp", make_result(method="group_sequential", planned_units=20_000, enrolment_ended=None), moment=True)
    Experiment.objects.update(planned_units=20_000, method="group_sequential")
    Study.objects.create(status="done", inputs={})  # the first page of a site with events
    row = Experiment.objects.get()
    at = overview.standing(row)
    assert at.headline is not None
    said = [at.said, at.until.said, at.headline.said.replace("\u00a0", " ")]
    assert all(said)

    pages = {
        "page": read(admin_client, "/experiments/exp/"),
        "list": read(admin_client, "/experiments/"),
        "home": read(admin_client, "/"),
        "admin": read(admin_client, f"/admin/experiments/experiment/{row.pk}/change/"),
        "admin list": read(admin_client, "/admin/experiments/experiment/"),
    }

    for name in ("page", "list", "home", "admin"):
        assert escape(said[0]) in pages[name], name
        assert escape(said[1]) in pages[name], name
    assert said[1] in pages["admin list"]
    for name in ("list", "home", "admin"):
        assert said[2] in pages[name], name
    for level in at.headline.levels:  # the page shows the pair in large digits
        assert f"<b>{level.text}</b>" in pages["page"].replace("\u00a0", " ")
    assert f"{sum(level.n for level in at.headline.levels):,} users</p>" in " ".join(pages["page"].split())


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
def test_state__has_one_colour_on_every_page(admin_client: Client, state: str) -> None:
    running("exp")
    for action in {"running": [], "paused": ["pause"], "stopped": ["stop"]}[state]:
        do("exp", action)
    light = {"running": "good", "paused": "warn", "stopped": ""}[state]

    for path in ("/experiments/exp/", "/experiments/"):
        assert f'class="tag {light}">{state}' in read(admin_client, path), path


# ── Before and after the outcome opens ────────────────────────────────────────
def test_running__locked__says_what_is_tested_when_it_opens_and_take_up(client: Client) -> None:
    stored("exp", make_result(**RUNNING), moment=True)
    Experiment.objects.update(nudge="A banner.", created_by=User.objects.create_user("owner-of-it"))

    text = read(someone(), "/experiments/exp/")

    for part in ("It helps.", "A banner.", "owner-of-it", "Result on", "days left", "Exposed so far", "Take-up so far"):
        assert part in text, part
    assert text.index("Take-up so far") < text.index("Take-up: the first stage")


def test_stopped__before_the_next_analysis__says_nothing_of_enrolment_going_on() -> None:
    stored("exp", make_result(**RUNNING))
    do("exp", "stop")

    text = read(someone(), "/experiments/exp/")

    assert "still being enrolled" not in text
    assert "enrolment has ended" in text


def test_draft__shows_the_plan_and_the_next_step() -> None:
    draft("exp", hypothesis="")

    text = read(someone("PM"), "/experiments/exp/")

    assert "The plan needs a hypothesis." in text
    assert 'href="/experiments/exp/plan/hypothesis/"' in text
    assert "hasn't started" not in text


# ── Moves from the page ───────────────────────────────────────────────────────
@pytest.mark.parametrize(("role", "may"), [("PM", True), ("Admin", True), ("Analyst", False), ("", False)])
def test_actions__by_role__are_offered_and_done_by_those_who_may(role: str, may: bool) -> None:
    running("exp")
    client = someone(role)

    offered = read(client, "/experiments/exp/")
    answers = [client.post("/experiments/exp/do/stop/").status_code, client.get("/experiments/exp/amend/").status_code]

    assert ('href="/experiments/exp/do/stop/"' in offered) is may
    assert ('href="/experiments/exp/amend/"' in offered) is may
    assert answers == ([302, 200] if may else [403, 403])
    assert Experiment.objects.get().status == ("stopped" if may else "running")


def test_move__by_a_link__only_asks() -> None:
    running("exp")
    client = someone("PM")

    asked = [read(client, f"/experiments/exp/do/{action}/") for action in ("pause", "close_enrolment", "stop")]

    assert Experiment.objects.get().status == "running"
    assert all("Yes: " in text for text in asked)
    assert client.get("/experiments/exp/do/explode/").status_code == 404
    assert client.get("/experiments/nope/do/stop/").status_code == 404


def test_move__the_whole_life__from_the_page() -> None:
    draft("exp")
    client = someone("PM")

    for action, after in (
        ("start", "running"),
        ("pause", "paused"),
        ("resume", "running"),
        ("close_enrolment", "running"),
        ("stop", "stopped"),
        ("conclude", "concluded"),
        ("archive", "archived"),
    ):
        answer = client.post(f"/experiments/exp/do/{action}/", {"why": f"because {action}"})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/experiments/exp/")
        assert Experiment.objects.get().status == after

    told = [row.history_change_reason for row in Experiment.objects.get().history.all()]
    assert told[:2] == ["because archive", "because conclude"]


def test_amend__from_the_page__is_logged_and_stands_in_plan_and_history() -> None:
    running("exp", primary_metrics=["window:14-20"])
    client = someone("PM")
    form = client.get("/experiments/exp/amend/").context["form"]
    given = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in given.items() if value not in (None, False)}

    answer = client.post("/experiments/exp/amend/", {**sent, "alpha": "0.01", "why": "stricter"})

    made = Amendment.objects.get()
    assert (answer.status_code, made.changes, made.why) == (302, {"alpha": [0.05, 0.01]}, "stricter")
    plan = read(client, "/experiments/exp/plan/")
    assert "stricter" in plan
    assert "<del>0.05</del>" in plan
    assert "<ins>0.01</ins>" in plan


def test_amend__without_a_reason__is_shown_again_with_the_sentence_at_its_field() -> None:
    running("exp")

    text = someone("PM").post("/experiments/exp/amend/", {"why": ""}).content.decode()

    assert "This field is required." in text
    assert not Amendment.objects.exists()


# ── Set-up ────────────────────────────────────────────────────────────────────
def test_setup__snippets__have_flag_and_address_and_no_secret() -> None:
    row = running("exp", flag_key="guild-invite")

    text = read(someone("Service owner"), "/experiments/exp/setup/")

    for name in ("curl", "Python", "JavaScript / TypeScript", "Node.js", "Java", "Kotlin", "Swift", "Go", "GrowthBook"):
        assert f"<h3>{name}" in text, name
    assert text.count("http://testserver/ofrep/v1/evaluate/flags/guild-invite") == 3  # curl, Kotlin, Swift
    assert text.count("guild-invite") > 9
    assert row.seed not in text
    assert "assign:read" in text


def test_setup__testers__are_shown_to_those_who_may_see_ids_alone() -> None:
    running("exp")
    owner, reader = someone("Service owner"), someone()
    owner.post("/experiments/exp/setup/testers/", {"unit": "qa-phone-7", "rule": "", "variant": "banner"})

    assert "qa-phone-7" in read(owner, "/experiments/exp/setup/")
    assert "qa-phone-7" not in read(reader, "/experiments/exp/setup/")
    assert reader.post("/experiments/exp/setup/testers/", {"unit": "x", "variant": "banner"}).status_code == 403
    assert owner.get("/experiments/exp/setup/testers/").status_code == 405


def test_setup__list__fills_as_the_service_connects() -> None:
    row = running("exp")
    client = someone()
    now = timezone.now()

    empty = read(client, "/experiments/exp/setup/live/")
    FlagAsk.objects.create(flag_key="exp", door="flag", key_prefix="sk_12345", times=7, first_at=now, last_at=now)
    arms = list(row.variants.all())
    row.assignments.create(unit="u", variant=arms[0], bucket=1, assigned_at=now, exposed_at=now)
    filled = read(client, "/experiments/exp/setup/live/")

    assert "<html" not in empty
    assert 'hx-trigger="every 5s"' in empty
    assert "Nobody has asked for exp yet." in empty
    assert "No exposure yet." in empty
    assert "At least 7 times with sk_12345…" in filled
    assert "1 user assigned" in filled
    assert "1 user exposed" in filled
    assert "Tested from 100 exposed users on; 1 so far." in filled


# ── History ───────────────────────────────────────────────────────────────────
def test_history__two_versions__differ_in_words() -> None:
    moment = promote.create_moment(
        name="Friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )
    row = draft("guild", method="fixed")
    boss = User.objects.create_user("boss")
    drafts.update_draft(key="guild", alpha=0.1, moment=moment, by=boss)
    drafts.update_draft(key="guild", method="always_valid", alpha=0.05, primary_metrics=["on_day:7", "on_day:14"])
    newest, middle, oldest = row.history.all()

    page = someone().get(f"/experiments/guild/history/?from={newest.pk}&to={oldest.pk}")

    assert page.context["compared"]["changes"] == [
        ("AHA moment", "–", "Friends"),
        ("Primary outcomes", "retention on days 14–20", "retention on day 7, retention on day 14"),
        ("Method", "one analysis, on the day of the result", "any time"),
    ]
    told = page.context["story"]
    assert [one["why"] for one in told] == ["plan changed", "plan changed", "made"]
    assert ("Alpha", "0.05", "0.1") in told[1]["changes"]
    assert told[1]["record"].history_user == boss
    assert middle.pk == told[1]["record"].pk


def test_history__a_save_without_a_change__makes_no_entry() -> None:
    row = draft("guild")
    before = row.history.count()

    drafts.update_draft(key="guild", hypothesis="It helps.", alpha=0.05)
    page = someone().get("/experiments/guild/history/")

    assert len(page.context["story"]) == 1
    assert row.history.count() == before
    assert Experiment.objects.get().version == row.version


def test_history__a_long_text__is_folded() -> None:
    draft("guild")
    drafts.update_draft(key="guild", hypothesis="Long. " * 2_000)

    text = read(someone(), "/experiments/guild/history/")

    assert "<details> <summary>Long. Long." in " ".join(text.split())


def test_history__analyses__say_verdict_lock_and_failure_in_words() -> None:
    stored("exp", make_result(**RUNNING))
    Analysis.objects.create(experiment=Experiment.objects.get(), status="failed", reason="The store is away.")

    text = read(someone(), "/experiments/exp/history/")

    assert "outcome locked" in text
    assert "The store is away." in text
    assert "each night" in text


# ── Comparison ────────────────────────────────────────────────────────────────
