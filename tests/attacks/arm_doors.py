"""The doors of `arm_ways`: each answers with what it shows, or with its refusal."""

import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from aha.explore.answering import Reply, answer
from aha.explore.forms import ExploreForm
from aha.explore.question import Question, address
from aha.models import Study
from aha.moments.promote import create_moment
from aha.moments.reach import Reach, who_reached
from aha.study.payload_versions import STUDY
from aha.study.question import Inputs
from aha.study.studies import create_study, run_study
from events.catalogue.check_metric import check_metric, preview_metric
from events.metrics.facts import Facts
from events.models import Source
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from experiments.models import Analysis
from experiments.plan.size import base_rate_and_inflow
from insight_site.access.keys import issue_key
from launches.answers import Answers, Meets
from launches.balance.gather import gather as gather_balance
from launches.balance.rules import read as read_rules
from launches.gather import gather
from reporting.document import dump, load
from runs.progress import silent
from runs.refusals import Refused
from runs.site_zone import site_date
from segments.published.publish import publish_rule
from segments.published.rule_members import count_rule
from segments.rules import parse_rule
from tests.experiments.make import do
from tests.insight_site.mcp.agents import agent, told


def _or_refusal(ask: Any) -> Any:
    try:
        return ask()
    except Refused as refusal:
        return {"refused": refusal.english}


def _report(pk: int) -> Any:
    """The study of this number, computed here, as its report says it."""
    run_study(pk)
    row = Study.objects.get(pk=pk)
    found: Any = dump(STUDY.of(row)) if row.payload else {"refused": row.reason}
    if isinstance(found, dict):
        for moving in ("spent", "created_at"):
            found.pop(moving, None)
    row.delete()
    return found


def agent_study(**inputs: Any) -> Any:
    found = told(agent("studies:start"), "start_study", **inputs)
    return _report(found["id"]) if "id" in found else {"refused": found["detail"]}


def _person() -> Client:
    client = Client()
    client.force_login(User.objects.filter(username="p").first() or User.objects.create_superuser("p"))
    return client


def person_study(**inputs: Any) -> Any:
    body = json.dumps({"inputs": inputs})
    found = _person().post("/api/v1/studies", body, content_type="application/json").json()
    return _report(found["id"]) if "id" in found else {"refused": found["detail"]}


def command_study(**changes: Any) -> Any:
    inputs = Inputs("signup", (1, 3), "window:14-20", ("chat",), **changes)
    return _or_refusal(lambda: _report(create_study(inputs=inputs).pk))


def study_checks(**inputs: Any) -> Any:
    """A study as it is checked against the log before it is kept."""
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in inputs.items()}
    return _or_refusal(lambda: create_study(inputs=Inputs(**given)).status)


def agent_size(**given: Any) -> Any:
    found = told(agent(), "size_plan", **given)
    return {"refused": found["detail"]} if "detail" in found else found


def key_size(key: str) -> Any:
    source, _ = Source.objects.get_or_create(name="keys")
    secret = issue_key(name="k", source=source, kind="server", scopes=["reports:read"])[1]
    headers = {"Authorization": f"Bearer {secret}"}
    found = Client().get(f"/api/v1/experiments/{key}/power", {"signup_event": "signup"}, headers=headers).json()
    return {"refused": found["detail"]} if "detail" in found else found


def size(metric: str) -> Any:
    return _or_refusal(lambda: dump(base_rate_and_inflow(metric, signup_event="signup")))


def metric_check(line: str) -> Any:
    def ask() -> Any:
        with questions() as asked:
            facts = Facts(line)
            given: dict[str, Any] = {"weeks": 4, "splits": 10, "signup_event": "signup", "seed": 1, "progress": silent}
            return dump(check_metric(asked, facts, **given))

    return _or_refusal(ask)


def metric_preview(line: str) -> Any:
    return _or_refusal(lambda: dump(preview_metric(line, signup_event="signup")))


def launch(**given: Any) -> Any:
    """The daily curves of a launch in the middle of the signups, as its reading gathers them."""

    def ask() -> Any:
        with questions() as asked:
            began = site_date(asked.basis.data_end) - timedelta(days=40)
            usual: dict[str, Any] = {"title": "x", "decision": "x", "curve": "new_users", "outcome": "window:14-20"}
            usual |= {"signup_event": "signup", "meets": Meets.NEW, "days_after": 7}
            return dump(gather(asked, load(Answers, {**usual, **given, "began": began}), silent))

    return _or_refusal(ask)


def event_balance(**given: Any) -> Any:
    """The days that an event's rules are played over, of the day after the data."""

    def ask() -> Any:
        with questions() as asked:
            first = site_date(asked.basis.data_end) + timedelta(days=1)
            steps = [{"name": "A", "points": 10}]
            document = {"title": "x", "first": first.isoformat(), "days": 1, "steps": steps, **given}
            past = gather_balance(asked, read_rules(document))
            return [(block.first.isoformat(), block.times.tolist()) for block in past.blocks]

    return _or_refusal(ask)


def page(view: str, **given: Any) -> Any:
    """What a person reads of a view: its numbers, or the refusal on the page."""
    shown = _person().get(
        f"/explore/{view}/?{address(_filled(view, given).question)}", headers={"Accept-Language": "en"}
    )
    context = shown.context
    return {"refused": context["refusal"]} if context.get("refusal") else context["outcome"].payload


def answered_at_once(question: Question, **_patience: float) -> Reply:
    """`patience.ask` in the test's own thread, which alone sees its database."""
    try:
        return Reply(payload=answer(question, stop=Stop(), progress=silent))
    except Refused as refusal:
        return Reply(refused=refusal)


def explore(view: str, **given: Any) -> Any:
    return _or_refusal(lambda: answer(_filled(view, given).question, stop=Stop(), progress=silent))


def _filled(view: str, given: dict[str, Any]) -> ExploreForm:
    usual = {"signup_event": "signup", "day_mode": "rolling", "by": "day", "days": "7", "times": "1"}
    data = {**usual, **given}
    data["steps"] = "\n".join(data.get("steps", []))
    form = ExploreForm(view, data)
    assert form.is_valid(), form.errors
    return form


def rule_count(rule: dict[str, Any]) -> Any:
    return _or_refusal(lambda: dump(count_rule(parse_rule(rule), "signup")))


def rule_publish(rule: dict[str, Any]) -> Any:
    def ask() -> Any:
        version = publish_rule(key="other", name="Other", signup_event="signup", rule=rule)
        return list(version.segments.values_list("size", "stayed"))

    return _or_refusal(ask)


def moment(start: str) -> Any:
    def ask() -> Any:
        row = create_moment(name="x", behaviour="open", times=2, days=21, signup_event=start, retention="window:22-28")
        return sorted(who_reached(row, Reach.REACHED))

    return _or_refusal(ask)


def start(key: str) -> Any:
    def ask() -> Any:
        do(key, "start")
        return Analysis.objects.filter(experiment__key=key).count()

    return _or_refusal(ask)
