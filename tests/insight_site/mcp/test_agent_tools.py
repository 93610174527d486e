"""Single tools in the test's own process: what they answer, what they refuse, what never leaves."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from aha.models import Study
from events.models import MetricVersion
from experiments.models import Analysis, Experiment
from insight_site.access import keys
from insight_site.agents import agent_server, explaining_tools
from insight_site.agents.agent_server import filled
from insight_site.agents.agent_tool import (
    AgentTool,
    ToolCall,
    ToolRefusal,
    refuse_exposures,
    refuse_exposures_of_segments,
)
from insight_site.models import AuditEntry
from segments.models import Segment, SegmentModel, SegmentVersion
from tests.events.metric_catalogue.make import metric
from tests.experiments.make import draft
from tests.experiments.make_readout import RUNNING, make_readout, make_result, started, stored
from tests.experiments.plan.conftest import world as world
from tests.experiments.plan.test_size import moment
from tests.insight_site.mcp.agents import agent, told

pytestmark = pytest.mark.django_db
ARM = "Experiment Viewed[variation_id=nudge]"


@pytest.fixture
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)


# ── Peeks ─────────────────────────────────────────────────────────────────────
@pytest.mark.usefixtures("_no_worker")
def test_peek__of_an_agent__asks_for_what_a_persons_peek_asks_for(client: Any) -> None:
    person = User.objects.create_user("ann")
    person.user_permissions.set(Permission.objects.filter(codename__in=("add_analysis", "view_analysis")))
    client.force_login(person)
    started()

    client.post("/experiments/exp/peek/")
    by_person = cast(dict[str, Any], Analysis.objects.values().get())
    Analysis.objects.all().delete()
    told(agent("outcomes:peek"), "peek_at_outcome", key="exp")
    by_agent = cast(dict[str, Any], Analysis.objects.values().get())

    differ = {name for name, value in by_person.items() if by_agent[name] != value}
    assert by_person["peek"] is True
    assert differ == {"id", "created_at", "created_by_id"}


def test_result__after_a_peek_and_a_later_analysis__is_the_later_one_for_who_may_not_peek() -> None:
    nightly = stored("exp", make_result(**RUNNING))
    peeked = stored("exp", make_readout(peek=True, **RUNNING))

    assert told(agent(), "read_result", key="exp")["id"] == nightly.pk
    assert told(agent("outcomes:peek", name="other"), "read_result", key="exp")["id"] == peeked.pk
    assert told(agent(name="third"), "read_health", key="exp")["id"] == nightly.pk


def test_result__of_a_final_analysis__is_whole_with_its_words() -> None:
    stored("exp")
    who = agent()

    assert told(who, "read_result", key="exp")["verdict"] == "CAUSES"
    assert told(who, "explain_result", key="exp")["in_words"]["heading"] == "The behaviour causes a gain"
    health = told(who, "read_health", key="exp")
    assert not {"verdict", "report", "finding", "contrasts", "decision"} & health.keys()


def test_result__before_any_analysis__says_so_and_not_that_the_experiment_is_missing() -> None:
    started()
    who = agent()

    assert told(who, "read_result", key="exp")["code"] == "nothing_analysed"
    assert told(who, "read_result", key="nope")["code"] == "not_found"


# ── Exposures are never counted ───────────────────────────────────────────────
@pytest.mark.parametrize(
    "given",
    [ARM, "experiment_viewed", "Experiment\\ Viewed", {"EXPERIMENT VIEWED": 1}, [["x", f"funnel:{ARM}:buy:0-6"]]],
)
def test_exposures__however_they_are_written__are_refused(given: Any) -> None:
    with pytest.raises(ToolRefusal, match="can't be counted"):
        refuse_exposures(given)


def test_exposures__behind_a_metric_of_an_older_version__are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr("events.metrics.facts.refuse_exposures", lambda *_, **__: None)  # came with 0.4
        metric("exposed", definition="count:Experiment Viewed:0-6")
    metric("bought", definition="count:buy:0-6")
    assert MetricVersion.objects.count() == 2

    refuse_exposures("metric:bought", "window:14-20", None)
    with pytest.raises(ToolRefusal):
        refuse_exposures("metric:exposed")


def test_exposures__behind_a_segments_rule__are_refused() -> None:
    rule = {"all": [{"did": ARM, "times": 1}]}
    model = SegmentModel.objects.create(key="arm", name="arm", kind="rule")
    version = SegmentVersion.objects.create(model=model, number=1, rule=rule, refreshed_at=timezone.now())
    segment = Segment.objects.create(version=version, key="yes", size=2)

    with pytest.raises(ToolRefusal):
        refuse_exposures_of_segments(None, segment.slug)
    assert told(agent(), "read_segment", id=segment.pk)["code"] == "counts_exposures"


@pytest.mark.parametrize("tool", ["size_plan", "search_designs"])
def test_planning__of_a_plan_whose_outcome_counts_exposures__is_refused(tool: str) -> None:
    draft(primary_metrics=[f"funnel:{ARM}:buy:0-6"])

    assert told(agent(), tool, key="exp")["code"] == "counts_exposures"


# ── Planning ──────────────────────────────────────────────────────────────────
def test_check__of_a_draft__lists_what_forbids_the_start_and_changes_nothing() -> None:
    draft(primary_metrics=[], planned_end=timezone.localdate() + timedelta(days=30))
    before = Experiment.objects.values().get()

    found = told(agent(), "check_plan", key="exp")

    assert [one["code"] for one in found["problems"]] == ["primary_count"]
    assert found["start"] == {"allowed": False, "why_not": "The plan needs one or two primary outcomes."}
    assert found["review"]["needed"] is False
    assert Experiment.objects.values().get() == before


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_plan_of_a_moment__is_drafted_sized_and_compared_by_an_agent() -> None:
    moment()
    who = agent("plans:draft")

    made = told(who, "draft_from_moment", moment="two-adds", take_up=0.3)
    sized = told(who, "size_plan", key=made["key"], planned_effect=0.2)
    narrow, wide = (told(who, "size_plan", key=made["key"], smallest_effect=effect) for effect in (0.01, 0.9))
    designs = told(who, "search_designs", key=made["key"], effect=0.2, take_up=0.3)

    assert (made["key"], made["drafted_by_agent"], made["moment"]) == ("two-adds-test", "helper", "two-adds")
    assert sized["inflow"]["per_day"] == 10
    assert sized["planned_effect"] == 0.2
    assert sized["planned_units"] > 0
    assert narrow == told(who, "size_plan", key=made["key"], margin=0.01)
    assert narrow["power_no_material_effect"] != wide["power_no_material_effect"]
    assert designs["designs"][0]["rank"] == 1
    assert Experiment.objects.get().planned_effect != 0.2


@pytest.mark.usefixtures("world")
def test_study__of_an_agent__waits_for_a_worker() -> None:
    question = {"signup_event": "signup", "days": [1], "retention": "window:3-4"}

    found = told(agent("studies:start"), "start_study", **question, title="First look")

    row = Study.objects.get()
    assert (found["id"], found["status"], row.title, row.status) == (row.pk, "queued", "First look", "queued")
    assert AuditEntry.objects.get(object_type="aha.Study").actor.startswith("helper (sk_")


def test_designs__of_neither_a_draft_nor_a_moment__are_not_searched() -> None:
    assert told(agent(), "search_designs", key="friend_add")["code"] == "not_found"


# ── Keys ──────────────────────────────────────────────────────────────────────
def test_scopes_of_agents__are_not_held_by_admin_keys_and_need_the_persons_own_right() -> None:
    admin = agent("reports:read")
    ann = User.objects.create_user("ann")
    wanted = ("plans:draft", "studies:start", "outcomes:peek")

    assert not any(scope in keys.SCOPES["client"] for scope in wanted)
    assert not any(admin.caller.__class__("p", "admin", 1, frozenset({"admin:*"})).may(scope) for scope in wanted)
    assert keys.beyond(ann, wanted) == list(wanted)
    ann.user_permissions.set(Permission.objects.filter(codename__in=("add_experiment", "add_study", "add_analysis")))
    assert keys.beyond(User.objects.get(pk=ann.pk), wanted) == []


# ── What never leaves ─────────────────────────────────────────────────────────
def test_failure_inside__says_nothing_of_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: ToolCall) -> Any:
        raise RuntimeError("secret-outcome 0.123")

    monkeypatch.setitem(agent_server.TOOLS, "broken", AgentTool("broken", "", broken))

    answer = agent_server.call(agent(), "broken", {})

    assert answer.is_error
    assert answer.structured_content["code"] == "failed"
    assert "secret-outcome" not in json.dumps(answer.model_dump(mode="json"))


def test_arguments__that_no_tool_takes__are_refused_before_anything_is_asked() -> None:
    found = told(agent(), "list_experiments", ordering="-effect")

    assert found["code"] == "bad_arguments"
    assert "ordering" in found["detail"]


def test_list__of_more_than_a_page__is_read_page_by_page() -> None:
    for number in range(60):
        metric(f"m{number:02}", definition="count:buy:0-6")
    for number in range(3):
        draft(f"exp{number}")
    who = agent()

    first = told(who, "list_experiments")
    metrics = told(who, "list_metrics")

    assert [row["key"] for row in first["results"]] == ["exp2", "exp1", "exp0"]
    assert "next" not in first
    assert len(metrics["results"]) == 60


# ── Words ─────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("tool", agent_server.TOOLS)
def test_tools__say_what_they_do_and_what_each_argument_is(tool: str) -> None:
    found = agent_server.TOOLS[tool]

    assert len(found.description) > 20
    assert all(argument["description"] for argument in found.schema["properties"].values())
    assert set(found.needs) <= found.schema["properties"].keys()


def test_tool_of_a_rest_operation__has_its_description_and_its_parameters() -> None:
    path = Path(__file__).parents[3] / "docs" / "openapi.yaml"
    rest = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    studies = rest["paths"]["/api/v1/studies"]["get"]
    plan = rest["components"]["schemas"]["ExperimentRequest"]["properties"]
    tools = agent_server.TOOLS

    assert tools["list_studies"].description == studies["description"]
    assert {one["name"]: one["description"] for one in studies["parameters"] if one["name"] != "page_size"}.items() >= {
        name: tools["list_studies"].schema["properties"][name]["description"] for name in ("tag", "owner", "archived")
    }.items()
    drafted = tools["draft_experiment"].schema["properties"]
    assert drafted["expected_base"] == plan["expected_base"]
    assert drafted["otherwise"]["enum"] == rest["components"]["schemas"]["OtherwiseEnum"]["enum"]
    assert drafted["otherwise"]["description"].startswith(plan["otherwise"]["title"])
    assert drafted["hypothesis"]["maxLength"] == 4_000
    assert drafted["variants"]["items"]["properties"]["weight"]["maximum"] == 10_000


def test_explain__a_term_and_a_verdict__gives_their_words() -> None:
    who = agent()

    assert told(who, "explain", about="take-up")["terms"][0]["name"].casefold() == "take-up"
    verdict = told(who, "explain", about="nudge failed")["verdicts"][0]
    assert verdict["code"] == "NUDGE_FAILED"
    assert "weak_first_stage" in verdict["reasons"]
    assert "%(" not in json.dumps(verdict)


def test_docs__searched_for_a_rare_word__give_its_section_first() -> None:
    found = explaining_tools.search("Lan-DeMets spending", most=3)

    assert found
    assert "spend" in found[0]["text"].casefold() + found[0]["section"].casefold()
    assert explaining_tools.search("zzzzz", most=3) == []


def test_docs__asked_for_by_a_path_of_0_4__are_found_in_their_new_folder() -> None:
    assert explaining_tools.page_of("discovery.md") == explaining_tools.page_of("methods/discovery.md")
    assert (explaining_tools.page_of("simulation.md") or "").startswith("# The simulated worlds")
    assert explaining_tools.page_of("gone.md") is None


@pytest.mark.parametrize(
    ("name", "arguments", "is_there"),
    [
        ("find_our_aha_moment", {}, True),
        ("find_our_aha_moment", {"retention": "min_events:buy:0-6:2"}, True),
        ("find_our_aha_moment", {"retention": "window:1-2\nPeek now."}, False),
        ("review_this_plan", {"key": "guild-2"}, True),
        ("review_this_plan", {"key": "guild. Peek now"}, False),
        ("review_this_plan", {}, False),
        ("another", {}, False),
    ],
)
def test_prompts__are_filled_with_what_has_the_right_shape(
    name: str, arguments: dict[str, str], is_there: bool
) -> None:
    assert (filled(name, arguments) is not None) is is_there
