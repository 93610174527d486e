"""Whoever changes something leaves a record: every model of the admin, every write by key, keys, links, downloads."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import lxml.html
import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import URLPattern, get_resolver, resolve, reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from aha.models import AhaMoment, Finding, Study
from events.models import CalendarEntry, OutboxEvent, Rejected, Source, Tag, UnitTraits
from events.simulation.event_worlds import RULES
from experiments.models import (
    Experiment,
    HoldoutPlan,
    PlanComment,
    ReviewItem,
    ReviewPolicy,
    WebhookDelivery,
    WebhookEndpoint,
)
from experiments.plan.templates import save_as_template
from insight_site.access import audit, keys
from insight_site.exports import takeaway
from insight_site.models import ApiKey, AuditEntry, DigestRecipient, NoticeChannel
from launches.models import BalanceRun
from segments.models import Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.experiments.api.make import Api
from tests.experiments.make import draft, running
from tests.experiments.plan.review.people import somebody
from tests.insight_site.audit.rest_writes import WRITES
from tests.insight_site.test_weight_of_lists import site

pytestmark = pytest.mark.django_db
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
# The admin's models that may be changed there, each with a field to change.
CHANGES = {
    "auth.User": ("first_name", "Ann"),
    "auth.Group": ("name", "Analysts"),
    "insight_site.ApiKey": ("name", "renamed"),
    "insight_site.NoticeChannel": ("name", "renamed"),
    "insight_site.DigestRecipient": ("email", "chief@example.com"),
    "experiments.Layer": ("name", "renamed"),
    "experiments.Holdout": ("active", ""),
    "experiments.Experiment": ("name", "renamed"),
    "experiments.WebhookEndpoint": ("name", "renamed"),
    "experiments.ReviewPolicy": ("mode", "never"),
    "experiments.ReviewItem": ("text", "renamed"),
    "experiments.PlanTemplate": ("name", "renamed"),
    "events.Source": ("name", "renamed"),
    "aha.AhaMoment": ("name", "renamed"),
    "segments.SegmentModel": ("name", "renamed"),
    "segments.Segment": ("name", "renamed"),
}
OWN_DOOR = {"experiments.WebhookDelivery"}  # its page shows fields only; "send again" is an action
# Both need a store with a study in it, and make rows of watched models as the others do: tests/aha/test_api.py.
NEEDS_A_STUDY = {("aha_api:study-promote", "POST"), ("aha_api:study-list", "POST")}


def rows() -> None:
    """One row of each model that the admin shows."""
    site(runs=1, others=1)
    save_as_template(experiment=draft("idea"), key="t", name="T")
    ReviewItem.objects.create(text="Seen by legal")
    ReviewPolicy.objects.create(pk=1)
    source, _ = Source.objects.get_or_create(name="app")
    keys.issue_key(name="k", source=source, kind="client", scopes=["events:write"])
    api = Api()
    for path, body in (("layers", {"key": "l"}), ("holdouts", {"key": "h", "share": 100})):
        api.ok("POST", f"/api/v1/{path}", body)
    api.ok("POST", "/api/v1/webhook-endpoints", {"name": "w", "url": "https://93.184.216.34/x"})
    WebhookDelivery.objects.create(endpoint=WebhookEndpoint.objects.get(), message_id="m", type="t", body="{}")
    Rejected.objects.create(received_at=timezone.now(), code="bad_json", message="m", payload="{}")
    UnitTraits.objects.create(user_id="u")
    User.objects.create_user("other", is_staff=True)
    Group.objects.create(name="Own")
    NoticeChannel.objects.create(name="team", service="Slack", secret_address="slack://none", kinds=["started"])
    DigestRecipient.objects.create(email="boss@example.com")
    AuditEntry.objects.all().delete()


def superuser() -> Any:
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True, is_staff=True)
    return request


def newest(label: str) -> Any:
    model = next(one for one in admin.site._registry if one._meta.label == label)
    found = model._base_manager.exclude(pk__in=[]).order_by("-pk")
    return found.filter(status="draft").first() if label == "experiments.Experiment" else found.first()


def sent(page: Any, field: str, value: str) -> dict[str, Any]:
    """What a browser would send of a form of the admin after one field was changed."""
    forms = lxml.html.fromstring(page.content.decode()).forms
    form = next((one for one in forms if field in one.fields), None)
    assert form is not None, (page.request["PATH_INFO"], [list(one.fields) for one in forms])
    values: dict[str, Any] = {}
    for name, given in form.form_values():
        values.setdefault(name, []).append(given)
    return {**values, field: value}


@pytest.mark.slow
def test_admin__each_model_that_may_be_changed__records_what_was_before_and_after(admin_client: Client) -> None:
    rows()
    may = {one._meta.label for one, page in admin.site._registry.items() if page.has_change_permission(superuser())}
    assert may - OWN_DOOR == set(CHANGES)

    found = {}
    for label, (field, value) in CHANGES.items():
        row = newest(label)
        address = reverse(f"admin:{label.lower().replace('.', '_')}_change", args=[row.pk])
        answer = admin_client.post(address, sent(admin_client.get(address, follow=True), field, value), follow=True)
        entry = AuditEntry.objects.filter(object_type=label, object_id=row.pk, action="changed").first()
        if entry is None or field not in entry.after or entry.before.get(field) == entry.after[field]:
            found[label] = (answer.status_code, entry and entry.after)

    assert found == {}
    entry = AuditEntry.objects.get(object_type="events.Source", action="changed")
    assert (entry.actor_kind, entry.actor, entry.address) == ("person", "admin", "127.0.0.1")
    assert (entry.before["name"], entry.after["name"]) == ("app", "renamed")
    assert entry.route == "POST admin:events_source_change"
    assert entry.request_id


@pytest.mark.slow
def test_admin__each_model_that_may_be_deleted__records_it(admin_client: Client) -> None:
    rows()
    source = Source.objects.create(name="unused")
    Study.objects.create(title="s", status="done")
    for model, page in list(admin.site._registry.items()):
        label = model._meta.label
        row = source if label == "events.Source" else model._base_manager.order_by("-pk").first()
        if not page.has_delete_permission(superuser()) or row is None:
            continue
        AuditEntry.objects.all().delete()
        address = reverse(f"admin:{label.lower().replace('.', '_')}_delete", args=[row.pk])

        answer = admin_client.post(address, {"post": "yes"})

        assert answer.status_code == 302, label
        kinds = {(one.action, one.object_type, one.object_id) for one in AuditEntry.objects.all()}
        route = f"admin:{label.lower().replace('.', '_')}_delete"
        assert ("deleted", label, str(row.pk)) in kinds or ("asked", route, str(row.pk)) in kinds, (label, kinds)


def api_writes(level: Any = None, space: str = "") -> Iterator[tuple[str, str]]:
    """Route and method of every call of the management API that may change something."""
    for one in (level or get_resolver()).url_patterns:
        if not isinstance(one, URLPattern):
            if str(one.pattern).startswith("api/v1/") or space:
                yield from api_writes(one, one.namespace or space)
            continue
        if not space:
            continue
        actions = getattr(one.callback, "actions", None)
        view: Any = getattr(one.callback, "cls", None)
        methods = actions or {name: name for name in view.http_method_names if hasattr(view, name)}
        yield from ((f"{space}:{one.name}", name.upper()) for name in methods if name.upper() in UNSAFE)


@pytest.mark.slow
def test_writes_by_key__each_route__record_the_key_and_the_change(settings: Settings) -> None:
    settings.EVENTS_URL = "/nonexistent/events"
    settings.RATES = {**settings.RATES, "management": 10_000}
    running("half", audience=[{"coverage": 4_000}])
    draft("idea")
    AhaMoment.objects.create(
        key="friends", name="F", behaviour="a", times=1, days=1, signup_event="signup", retention="window:1-2"
    )
    asked = {(route, method) for route, method, _path, _body in WRITES}
    missing = set(api_writes()) - asked - NEEDS_A_STUDY
    assert {row for row in missing if row[1] != "PUT"} == set()
    version = SegmentVersion.objects.create(
        refreshed_at=timezone.now(), model=SegmentModel.objects.create(key="m", name="M"), number=1
    )
    segment = Segment.objects.create(version=version, key="g1", name="G", number=1)
    Study.objects.create(title="s")
    Tag.objects.create(name="other")
    coming, over = (
        BalanceRun.objects.create(title="Event", inputs=RULES | {"first": first}, status="done")
        for first in ("2099-06-01", "2025-06-04")
    )
    api, silent = Api("admin", "admin:*", "reports:read", "users:write", "privacy:write", "calendar:write"), {}
    ApiKey.objects.update(created_by=somebody("boss", "Admin"))  # for whom the key answers a review
    person = User.objects.create_user("leaves")
    for route, method, path, body in WRITES:
        experiment = Experiment.objects.filter(key="guild").first()
        override = experiment.overrides.first() if experiment else None
        ids = {
            "segment": segment.pk,
            "coming": coming.pk,
            "over": over.pk,
            "user": person.pk,
            "override": override and override.pk,
            "plan": getattr(HoldoutPlan.objects.first(), "pk", None),
            "endpoint": getattr(WebhookEndpoint.objects.first(), "pk", None),
            "entry": getattr(CalendarEntry.objects.first(), "pk", None),
            "item": getattr(ReviewItem.objects.first(), "pk", None),
            "comment": getattr(PlanComment.objects.first(), "pk", None),
            "channel": getattr(NoticeChannel.objects.first(), "pk", None),
            "recipient": getattr(DigestRecipient.objects.first(), "pk", None),
            "study": getattr(Study.objects.first(), "pk", None),
            "search": getattr(SegmentationRun.objects.first(), "pk", None),
            "tag": getattr(Tag.objects.filter(name__in=["t", "renamed"]).first(), "pk", None),
            "other": getattr(Tag.objects.filter(name="other").first(), "pk", None),
        }
        address = path.format(**ids)
        assert resolve(address).view_name == route
        before = AuditEntry.objects.count()
        answer = api(method, address, body)
        made = list(AuditEntry.objects.order_by("-pk")[: AuditEntry.objects.count() - before])
        ours = [one for one in made if one.actor_kind == "key" and one.actor.startswith("k (ak_") and one.request_id]
        if answer.status_code >= 400 or not ours:
            silent[method, address] = (answer.status_code, answer.content[:300])

    assert silent == {}
    started = AuditEntry.objects.get(
        route="POST experiments_api:experiment-start", object_type="experiments.Experiment"
    )
    assert (started.before["status"], started.after["status"]) == ("draft", "running")
    text = "\n".join(audit.json_lines(AuditEntry.objects.all()))
    assert "qa-person" not in text
    assert '"secret": "(hidden)"' in text or '"previous_secret": "(hidden)"' in text


def test_keys__made_replaced_and_revoked__are_recorded_without_the_key(admin_client: Client) -> None:
    source = Source.objects.create(name="shop")
    form = {"name": "k", "source": source.pk, "kind": "client", "scopes": ["events:write"], "origins": ""}
    shown = admin_client.post("/admin/insight_site/apikey/add/", form).context["issued"][0][1]
    row = ApiKey.objects.get()
    for action in ("create_successor", "revoke"):
        admin_client.post("/admin/insight_site/apikey/", {"action": action, "_selected_action": [row.pk]})

    told = list(
        AuditEntry.objects.filter(object_type="insight_site.ApiKey").order_by("pk").values_list("action", "actor")
    )
    assert ("created", "admin") in told
    assert ("rotated", "admin") in told
    assert told[-1] == ("revoked", "admin")
    text = "".join(audit.json_lines(AuditEntry.objects.all()))
    assert shown not in text
    assert row.digest not in text
    assert keys.digest(shown) == row.digest


def test_share_link__made_read_and_ended__is_recorded(admin_client: Client) -> None:
    site(runs=1, others=1)
    study = Study.objects.get()
    admin_client.post(f"/share/aha.Study/{study.pk}/", {"days": 7})
    row, token = takeaway.create_link(run=study, days=7, by=User.objects.get())
    Client(REMOTE_ADDR="203.0.113.9").get(f"/shared/{token}/")
    admin_client.post(f"/share/{row.pk}/revoke/")

    told = list(AuditEntry.objects.order_by("pk").values_list("action", "actor_kind", "address"))
    assert told == [
        ("created", "person", "127.0.0.1"),
        ("read", "stranger", "203.0.113.9"),
        ("revoked", "person", "127.0.0.1"),
    ]
    page = admin_client.get("/admin/insight_site/sharelink/").content.decode()
    assert page.count("aha.Study") >= 2
    admin_client.post("/admin/insight_site/sharelink/", {"action": "end", "_selected_action": [row.pk - 1]})
    assert AuditEntry.objects.filter(action="revoked").count() == 2


def test_downloads__of_names_and_reports__are_recorded(admin_client: Client) -> None:
    site(runs=1, others=1)
    running("live")
    paths = ["/api/v1/experiments/live/assignments", "/api/v1/units/u1/segments"]
    for path in paths:
        assert admin_client.get(path).status_code == 200

    told = list(AuditEntry.objects.filter(action="downloaded").order_by("pk").values_list("object_type", "object_id"))
    assert told == [("experiments_api:experiment-assignments", "live"), ("segments_members:unit", "")]


def test_refused_call__and_a_look__leave_no_record(admin_client: Client) -> None:
    running("live")
    admin_client.get("/experiments/live/")
    Client().post("/experiments/live/do/stop/")
    Api("server", "reports:read")("POST", "live/stop", {})
    Client().post("/v1/track", b"{}", content_type="application/json")

    assert not AuditEntry.objects.exists()


def test_roles_of_an_account__given__are_recorded_by_name(admin_client: Client) -> None:
    row = User.objects.create_user("ann")
    address = f"/admin/auth/user/{row.pk}/change/"
    form = sent(admin_client.get(address), "first_name", "Ann")
    admin_client.post(address, {**form, "groups": [Group.objects.get(name="PM").pk]})

    assert AuditEntry.objects.filter(after={"User_groups": ["PM"]}, object_id=row.pk).exists()


def test_worker__and_rows_of_machines__write_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        Source.objects.create(name="made in a task")
    with django_assert_num_queries(1):  # a listener would read the rows first
        OutboxEvent.objects.filter(pk__gt=0).delete()

    assert not AuditEntry.objects.exists()
    listening = set(audit.watched())
    assert OutboxEvent not in listening
    assert {Experiment, User, ApiKey, Finding} <= listening


def test_log__exported__by_command_and_in_the_admin(admin_client: Client) -> None:
    admin_client.post("/admin/events/source/add/", {"name": "=1+1"})
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=3))
    admin_client.post("/admin/events/source/add/", {"name": "new"})
    recent = (timezone.now() - timedelta(days=1)).isoformat()

    out = StringIO()
    call_command("audit_log", "--json", "--since", recent, stdout=out)
    table = StringIO()
    call_command("audit_log", stdout=table)
    chosen = {"action": "export_json", "_selected_action": [row.pk for row in AuditEntry.objects.all()]}
    answer: Any = admin_client.post("/admin/insight_site/auditentry/", chosen)
    downloaded = b"".join(answer.streaming_content).decode()

    assert [json.loads(line)["object_name"] for line in out.getvalue().splitlines()] == ["new"]
    assert "'=1+1" in table.getvalue()
    assert [json.loads(line)["action"] for line in downloaded.splitlines()] == ["created", "created"]
    assert AuditEntry.objects.first().action == "downloaded"  # type: ignore[union-attr]


def test_log__past_its_days__is_pruned_and_nobody_edits_it(admin_client: Client, settings: Settings) -> None:
    for days in (0, 800):
        AuditEntry.objects.create(at=timezone.now() - timedelta(days=days), actor="a", action="asked", object_type="x")
    settings.AUDIT_DAYS = 0
    assert audit.forget_old() == 0
    settings.AUDIT_DAYS = 730
    assert audit.forget_old() == 1

    row = AuditEntry.objects.get()
    assert admin_client.get(f"/admin/insight_site/auditentry/{row.pk}/change/").status_code == 200
    assert admin_client.post(f"/admin/insight_site/auditentry/{row.pk}/change/", {"actor": "b"}).status_code == 403
    assert admin_client.post(f"/admin/insight_site/auditentry/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_values__long_and_secret__are_cut_and_hidden() -> None:
    assert audit.shown("secret", "abc") == "(hidden)"
    assert audit.shown("previous_secret", "") == ""
    assert audit.shown("note", "x" * 3_000).endswith("x …")
    audit.connect()


def test_admin_action__that_no_database_holds__is_recorded_without_it(admin_client: Client) -> None:
    ask = {"action": "a\x00b", "_selected_action": ["1\x00"]}

    assert admin_client.post("/admin/insight_site/apikey/", ask).status_code == 302

    assert AuditEntry.objects.get().after == {"action": "ab", "rows": ["1"]}
