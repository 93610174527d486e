"""From the form to the answer at every door: page, command, REST, calendar; and never among verdicts."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from events.calendar import entries
from events.calendar.happened import happened
from events.simulation.launch_worlds import LAUNCH_WORLDS, RETENTION
from experiments.models import Experiment
from launches import readings
from launches.answers import DAY
from launches.judge import LAUNCH, LaunchReport
from launches.models import Launch, LaunchReading
from runs.models import Job
from runs.refusals import Refused
from runs.site_zone import site_date
from tests.experiments.api.make import Api
from tests.insight_site.mcp.agents import agent, told
from tests.launches.make import answers

pytestmark = pytest.mark.django_db
BEGAN = LAUNCH_WORLDS["launch_step"].launch
FORM = {
    "title": "Autumn onboarding",
    "began": BEGAN.isoformat(),
    "meets": "new",
    "curve": "new_users",
    "signup_event": "signup",
    "outcome": RETENTION,
    "better": "higher",
    "works_after": "0",
    "days_after": "14",
    "decision": "Keep it if it worked.",
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


@pytest.mark.usefixtures("world_store")
def test_launch__from_form_to_answer__is_registered_read_and_suggests_a_gain(boss: Client) -> None:
    sent = boss.post("/launches/new/", FORM, follow=True)
    launch = Launch.objects.get()
    assert "stay as they are" in text_of(sent)
    assert "Nobody has read the curve yet" in text_of(sent)
    boss.post(f"/launches/{launch.key}/read/")
    reading = LaunchReading.objects.get()
    assert Job.objects.filter(task="launches.tasks.run_reading", arguments=[reading.pk]).exists()
    assert readings.run_reading(reading.pk)
    page = text_of(boss.get(f"/launches/{launch.key}/"))
    assert "suggests a gain" in page
    assert "a suggestion, no verdict" in page
    assert "What would have to be true" in page
    assert "Registered on" in page  # late: the curve could be read already
    reading.refresh_from_db()
    assert reading.suggestion == "SUGGESTS_GAIN"
    assert "suggests a gain" in text_of(boss.get("/launches/"))
    with translation.override("ko"):
        boss.cookies["django_language"] = "ko"
        assert "개선 시사" in text_of(boss.get(f"/launches/{launch.key}/readings/{reading.pk}/"))


def test_launch__that_nobody_has_read__may_be_withdrawn(boss: Client) -> None:
    launch = readings.register(answers=answers(began=BEGAN))
    assert "Withdraw this launch" in text_of(boss.get(f"/launches/{launch.key}/"))
    boss.post(f"/launches/{launch.key}/withdraw/")
    assert not Launch.objects.exists()
    read = readings.register(answers=answers(began=BEGAN))
    LaunchReading.objects.create(launch=read, status="done")
    assert "its answers stay" in text_of(boss.post(f"/launches/{read.key}/withdraw/", follow=True))
    assert Launch.objects.exists()


def test_next_launch__in_one_click__is_a_plan_with_a_tenth_held_out(boss: Client) -> None:
    launch = readings.register(answers=answers(began=BEGAN))
    answer = boss.post(f"/launches/{launch.key}/next/")
    plan = Experiment.objects.get()
    assert answer["Location"] == f"/experiments/{plan.key}/steps/hypothesis/" or plan.key in answer["Location"]
    assert [(arm.key, arm.weight) for arm in plan.variants.order_by("position")] == [("without", 1000), ("with", 9000)]
    assert plan.primary_metrics == [RETENTION]


@pytest.mark.usefixtures("world_store")
def test_form__with_a_wrong_answer__says_so_at_its_field_and_writes_nothing(boss: Client) -> None:
    answer = boss.post("/launches/new/", {**FORM, "days_after": "10"})
    assert "Whole weeks" in text_of(answer)
    answer = boss.post("/launches/new/", {**FORM, "spared": "ios"})
    assert "Name the trait" in text_of(answer)
    answer = boss.post("/launches/new/", {**FORM, "curve": "per_active_user", "behaviour": ""})
    assert "It needs an outcome." in text_of(answer)
    assert not Launch.objects.exists()


@pytest.mark.usefixtures("world_store")
def test_command__registers_once_and_prints_one_document() -> None:
    given = ["autumn", "--began", BEGAN.isoformat(), "--outcome", RETENTION, "--signup-event", "signup"]
    given += ["--meets", "new", "--decision", "Keep it.", "--json"]
    out = StringIO()
    call_command("launch", *given, stdout=out)
    said = json.loads(out.getvalue())
    assert said["suggestion"] == "SUGGESTS_GAIN"
    assert said["past"]["blocks"] == 30
    assert said["answers"]["outcome"] == RETENTION
    again = StringIO()
    call_command("launch", "autumn", "--json", stdout=again)
    assert json.loads(again.getvalue())["effect"] == said["effect"]
    with pytest.raises(CommandError, match="never change") as refused:
        call_command("launch", *given)
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="first day"):
        call_command("launch", "winter")
    wrong = [text.replace("signup", "signed") if text == "signup" else text for text in given[1:]]
    with pytest.raises(CommandError, match=r"--signup-event: there is no event 'signed'"):
        call_command("launch", "spring", *wrong)
    call_command("launch", "spring", "--withdraw")
    assert not Launch.objects.filter(key="spring").exists()
    with pytest.raises(CommandError, match="its answers stay"):
        call_command("launch", "autumn", "--withdraw")
    with pytest.raises(CommandError, match="letters, digits"):
        call_command("launch", "a b", *given[1:])
    assert list(Launch.objects.values_list("key", flat=True)) == ["autumn"]


@pytest.mark.usefixtures("world_store")
def test_calendar__takes_the_campaigns_days_out_and_holds_the_launch_by_itself() -> None:
    launch = readings.register(answers=answers(began=BEGAN))
    entries.add(entry=entries.Written("campaign", "Ads", BEGAN + 2 * DAY, BEGAN + 4 * DAY), by=None)
    entries.add(entry=entries.Written("release", "autumn ONBOARDING", BEGAN), by=None)  # the launch, written by hand
    entries.add(entry=entries.Written("release", "4.2", BEGAN + 5 * DAY), by=None)
    reading = readings.create_reading(launch=launch)
    assert readings.run_reading(reading.pk)
    report = LAUNCH.of(LaunchReading.objects.get())
    assert isinstance(report, LaunchReport)
    assert report.after == 11
    assert [one.title for one in report.passing] == ["Ads"]
    assert [one.title for one in report.lasting] == ["4.2"]
    mine = [one for one in happened() if one.kind == "launch"]
    assert [(one.title, one.starts) for one in mine] == [("Autumn onboarding", BEGAN)]
    assert mine[0].link == f"/launches/{launch.key}/"


def test_reading__before_the_days_after_are_over__is_refused_and_nothing_is_stored() -> None:
    launch = readings.register(answers=answers(began=site_date()))
    with pytest.raises(Refused, match="can be read from"):
        readings.create_reading(launch=launch)
    assert not LaunchReading.objects.exists()


@pytest.mark.usefixtures("world_store")
def test_rest__registers_and_reads_and_never_changes_a_launch() -> None:
    api = Api("admin", "admin:*", "reports:read")
    body = {
        **{name: FORM[name] for name in ("title", "began", "meets", "curve", "signup_event", "outcome", "decision")},
        "key": "autumn",
    }
    made = api.ok("POST", "/api/v1/launches", body)
    assert (made["key"], made["readable_from"]) == ("autumn", answers(began=BEGAN).days.readable_from.isoformat())
    assert api("POST", "/api/v1/launches", body).status_code == 409
    assert api("PATCH", "/api/v1/launches/autumn", {"title": "Winter"}).status_code == 405
    assert api("DELETE", "/api/v1/launches/autumn").status_code == 405
    answer = api("POST", "/api/v1/launches/autumn/read", {})
    assert answer.status_code == 202
    reading = answer.json()
    assert reading["report"] is None
    readings.run_reading(reading["id"])
    (done,) = api.ok("GET", "/api/v1/launches/autumn/readings")
    assert done["suggestion"] == done["report"]["suggestion"] == "SUGGESTS_GAIN"
    read = told(agent(), "read_launch", key="autumn")
    assert (read["outcome"], read["readings"][0]["suggestion"]) == (RETENTION, "SUGGESTS_GAIN")


def test_roles__analysts_register_and_others_only_look(client: Client) -> None:
    readings.register(answers=answers(began=BEGAN))
    user = User.objects.create_user("owner")
    user.groups.add(Group.objects.get(name="Service owner"))
    client.force_login(user)
    assert client.get("/launches/").status_code == 200
    assert client.get("/launches/new/").status_code == 403
    user.groups.set([Group.objects.get(name="Analyst")])
    assert client.get("/launches/new/").status_code == 200


# ── Never among verdicts ──────────────────────────────────────────────────────
def test_launch_words__stand_in_no_code_but_that_of_launches() -> None:
    word = re.compile(r"SUGGESTS_|Suggestion\.(GAIN|LOSS)")
    apps = ("experiments", "aha", "segments", "events", "runs", "reporting")
    files = [path for app in apps for path in (ROOT / app).rglob("*.py")]
    assert len(files) > 300
    assert [path for path in files if word.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.usefixtures("world_store")
def test_suggestion__enters_no_pool_finding_map_moment_or_webhook() -> None:
    api = Api("admin", "admin:*", "reports:read")
    launch = readings.register(answers=answers(began=BEGAN))
    assert readings.run_reading(readings.create_reading(launch=launch).pk)
    doors = ("findings", "moments", "experiments", "studies", "map", "webhooks", "findings/pool?behaviour=play")
    for door in doors:
        answer = api("GET", f"/api/v1/{door}")
        text = answer.content.decode()
        assert "SUGGESTS" not in text, door
        assert launch.title not in text, door
    assert not Job.objects.filter(task__contains="webhook").exists()
    report = LAUNCH.of(LaunchReading.objects.get())
    assert isinstance(report, LaunchReport)
    assert "verdict" not in json.dumps(LAUNCH.store(report))
