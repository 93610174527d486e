"""Every route of the site and every machine door, with an address that has something behind it, and who calls."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from aha.models import Finding, SavedView, Study
from events.models import CalendarEntry, FileImport, IdLink, MetricCheck, Rejected, Source, Tag, UnitTraits, Upload
from events.simulation.event_worlds import RULES
from experiments.models import (
    Analysis,
    FinishedTest,
    Holdout,
    HoldoutPlan,
    HoldoutReading,
    OverlapReport,
    Override,
    PlanComment,
    ReviewItem,
    ReviewPolicy,
    Variant,
    WebhookDelivery,
    WebhookEndpoint,
)
from experiments.plan.templates import save_as_template
from experiments.serve import shipping
from insight_site.access import keys, roles
from insight_site.models import (
    Audience,
    Board,
    BoardCard,
    DigestRecipient,
    Erasure,
    Notice,
    NoticeChannel,
    SelfTest,
    ShareLink,
)
from launches.models import BalanceRun, GrowthForecast, Launch, LaunchReading
from segments.models import ChurnRun, ComparisonRun, Segment, SegmentationRun, SegmentVersion
from tests.events.metric_catalogue.make import metric
from tests.experiments.make import do, draft, running
from tests.insight_site.test_weight_of_lists import site

PEOPLE = ("nobody", "no role", *roles.ROLES, "superuser")
KEYS = ("client", "server", "admin")
DOORS = {
    "/v1/batch": "POST", "/v1/track": "POST", "/v1/import": "POST", "/v1/identify": "POST", "/v1/page": "POST",
    "/v1/screen": "POST", "/v1/group": "POST", "/v1/alias": "POST", "/v1/t": "POST", "/v1/b": "POST",
    "/ofrep/v1/evaluate/flags": "POST",
    "/ofrep/v1/evaluate/flags/live": "POST", "/api/features/{key}": "GET", "/api/eval/{key}": "POST",
    "/ofrep/v1/streams/{key}": "GET", "/metrics": "GET", "/healthz/parts": "GET", "/healthz/parts/disk": "GET",
}  # fmt: skip
# What stands in an address, by its name, where it is the same everywhere.
SAME = {
    "language": "en", "label": "aha.Study", "token": "unknown", "view": "retention", "place": 1, "form": "markdown",
    "unit": "u1", "position": 0, "template": "t", "verb": "ask",
    "uidb64": "MQ", "provider_id": "oidc", "organization_slug": "saml",
    "week": date(2026, 1, 5),
}  # fmt: skip
SLUGS = {"method": "discovery"}
KINDS = {
    "takeaway": "json", "picture": "svg", "pick:options": "event",
    **{f"upkeep:{name}": "study" for name in ("set_tags", "set_owner", "archive", "restore")},
}  # fmt: skip
# Whose number `pk` is, by the beginning of the route's name; the first that fits.
ROWS: dict[str, type[Model]] = {
    "events:import_r": FileImport,
    "events:change_entry": CalendarEntry,
    "events:delete_entry": CalendarEntry,
    "calendar_api": CalendarEntry,
    "events:metric_check": MetricCheck,
    "segments:run": SegmentationRun,
    "segments:publish_run": SegmentationRun,
    "segments_api:segmentationrun": SegmentationRun,
    "segments:comparison": ComparisonRun,
    "segments:churn": ChurnRun,
    "segments": Segment,
    "aha_api:finding": Finding,
    "revoke_share": ShareLink,
    "explore": SavedView,
    "boards": Board,
    "launches:reading": LaunchReading,
    "launches_api:growthforecast": GrowthForecast,
    "launches": BalanceRun,
    "growth": GrowthForecast,
    "selftest": SelfTest,
    "privacy_api:erasure": Erasure,
    "users_api": User,
    "notices_api:noticechannel": NoticeChannel,
    "notices_api:digestrecipient": DigestRecipient,
    "notices_place": NoticeChannel,
    "upkeep:rename_tag": Tag,
    "upkeep:delete_tag": Tag,
    "upkeep_api:tag": Tag,
    "experiments:settle_comment": PlanComment,
    "experiments_api:comment": PlanComment,
    "experiments_api:reviewitem": ReviewItem,
    "experiments_api:webhookendpoint": WebhookEndpoint,
    "experiments:holdout_reading": HoldoutReading,
    "experiments:judged": FinishedTest,
    "experiments:overlap": OverlapReport,
    "experiments:holdout": HoldoutPlan,
    "experiments:read_holdout": HoldoutPlan,
    "experiments_api:holdout": HoldoutPlan,
    "experiments": Analysis,
    "": Study,
}
NAMES = {
    "audiences": "vip", "environments": "live", "segments": "k0", "aha": "m0",
    "events": "revenue", "metrics_api": "revenue", "launches": "autumn",
    "experiments_api:layer": "l", "experiments_api:holdout": "h", "experiments_api:moment": "m0",
    "experiments_api:plantemplate": "t", "experiments_api:template-drafts": "t", "experiments_api:rollout": "ended",
    "experiments:rollout": "ended", "experiments:ship": "ended", "experiments": "live",
    "signatures_api": "live",
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """One route: its name, an address of it, and the same with one argument that names nothing, for each argument."""

    name: str
    address: str
    unknown: tuple[str, ...]

    @property
    def takes_keys(self) -> bool:
        """It is one of the API."""
        return self.address.startswith("/api/") and self.name != "api_docs"


def make_site() -> None:
    """One row of everything that an address can name."""
    site(runs=1, others=1)
    SegmentVersion.objects.update(inputs={"signup_event": "signup", "first_day": 0, "last_day": 6})
    source, _ = Source.objects.get_or_create(name="app")
    running("ended")
    do("ended", "stop")
    everyone = [{"segment": None, "steps": [{"share": 100}]}]
    shipping.ship(key="ended", arm="banner", rows=everyone, proved=True, asked=shipping.Asked())
    row = running("live")
    draft("idea")
    Override.objects.create(experiment=row, unit="qa", variant=Variant.objects.filter(experiment=row)[0])
    PlanComment.objects.create(experiment=row, text="Why?")
    ReviewItem.objects.create(text="Seen by legal")
    ReviewPolicy.objects.create(pk=1)
    save_as_template(experiment=row, key="t", name="T")
    Analysis.objects.create(experiment=row, status="queued")
    NoticeChannel.objects.create(name="team", service="Slack", secret_address="slack://none")
    DigestRecipient.objects.create(email="boss@example.com")
    Notice.objects.create(kind="started", label="experiments.Experiment", row="1", happened_at=timezone.now())
    for model, values in (("layer", {"key": "l"}), ("holdout", {"key": "h", "share": 1})):
        apps.get_model("experiments", model)._base_manager.create(**values)
    plan = HoldoutPlan.objects.create(
        holdout=Holdout.objects.get(), since=timezone.localdate(), outcome="on_day:7", readings=["2099-01-01"]
    )
    HoldoutReading.objects.create(plan=plan, status="queued")
    OverlapReport.objects.create(status="queued")
    endpoint = WebhookEndpoint.objects.create(name="w", url="https://93.184.216.34/", secret="x" * 40)
    WebhookDelivery.objects.create(endpoint=endpoint, message_id="m", type="t", body="{}")
    Rejected.objects.create(source=source, received_at=timezone.now(), code="bad_text", message="m", payload="{}")
    UnitTraits.objects.create(user_id="u1", traits={"plan": "pro"})
    segment = Segment.objects.order_by("-pk")[0]
    Audience.objects.create(
        key="vip", name="V", who="segment", segment_model=segment.version.model, segment_key=segment.key, way="fetched"
    )
    IdLink.objects.create(visitor="v1", user="u1", at=timezone.now(), received_at=timezone.now(), state="holds")
    Tag.objects.create(name="t")
    CalendarEntry.objects.create(kind="release", title="4.2", starts=date(2026, 3, 31))
    upload = Upload.objects.create(name="a.csv", size=1)
    FileImport.objects.create(upload=upload, name="a.csv", status="done")
    Upload.objects.create(name="b.csv", size=1, page="experiments:judge_columns")
    FinishedTest.objects.create(name="b.csv", status="done")
    MetricCheck.objects.create(version=metric("revenue").current, status="queued")
    SelfTest.objects.create(status="queued")
    launch = Launch.objects.create(
        key="autumn", title="Autumn", began=date(2026, 3, 31), curve="active_users", decision="Keep it."
    )
    LaunchReading.objects.create(launch=launch, status="queued")
    BalanceRun.objects.create(title="Summer", inputs=RULES, status="queued")
    GrowthForecast.objects.create(inputs={"weeks": 52}, status="queued")
    view = SavedView.objects.create(name="v", view="retention", question={"signup_event": ["signup"]})
    BoardCard.objects.create(board=Board.objects.create(name="b", team=True), position=0, view=view)
    Erasure.objects.create(ids=[], named=1, state=Erasure.State.DONE)
    ShareLink.objects.create(
        digest="0" * 64, run_label="aha.Study", run_pk=Study.objects.get().pk, expires_at=timezone.now()
    )


def all_routes() -> list[Route]:
    """Every route of the URL configuration, in its order; the admin's catch-alls have no name."""
    found = {name: _route(name, pattern) for name, pattern in _patterns(get_resolver())}
    return list(found.values())


def clients() -> dict[str, Client]:
    """Somebody of each role, logged in."""
    return {name: client_of(name) for name in PEOPLE}


def client_of(name: str) -> Client:
    """Logged in unless it is nobody. All of them may enter the admin; what they may do there their role says."""
    client = Client(raise_request_exception=False)
    if name != "nobody":
        user = User.objects.create_user(name, is_staff=True, is_superuser=name == "superuser")
        user.groups.set(Group.objects.filter(name=name))
        client.force_login(user)
    return client


def all_keys() -> dict[str, str]:
    """A key of each kind with all that it may have, but those of agents beside the assignments."""
    source, _ = Source.objects.get_or_create(name="app")
    given = {kind: set(keys.SCOPES[kind]) - set(keys.COMPUTES) for kind in KEYS}
    return {
        kind: keys.issue_key(name=kind, source=source, kind=kind, scopes=given[kind], rate=10**6)[1] for kind in KEYS
    }


def single_keys(kind: str) -> dict[str, str]:
    """A key for each scope that this kind may have, with this scope alone; "" is one without any."""
    source, _ = Source.objects.get_or_create(name="app")
    return {
        scope: keys.issue_key(name=scope, source=source, kind=kind, scopes=filter(None, [scope]), rate=10**6)[1]
        for scope in ("", *keys.SCOPES[kind])
    }


def _patterns(level: URLResolver, spaces: tuple[str, ...] = ()) -> Iterator[tuple[str, URLPattern]]:
    for one in level.url_patterns:
        if isinstance(one, URLResolver):
            yield from _patterns(one, (*spaces, one.namespace) if one.namespace else spaces)
        elif one.name:
            yield ":".join((*spaces, one.name)), one


def _route(name: str, pattern: URLPattern) -> Route:
    regex = pattern.pattern.regex
    if regex.groups and not regex.groupindex:  # a row's history, whose routes name nothing
        known = [_row_of_admin(name, "pk"), _version_of_row(name)][: regex.groups]
        unknown = [[*known[:at], _nothing(value), *known[at + 1 :]] for at, value in enumerate(known)]
        return Route(name, reverse(name, args=known), tuple(reverse(name, args=one) for one in unknown))
    given = {argument: _value(name, argument) for argument in regex.groupindex}
    addresses = (_reversed(name, given | {argument: _nothing(value)}) for argument, value in given.items())
    return Route(name, reverse(name, kwargs=given), tuple(filter(None, addresses)))


def _reversed(name: str, given: dict[str, Any]) -> str:
    """ "" where the route takes no such value, so that no address has it."""
    try:
        return reverse(name, kwargs=given)
    except NoReverseMatch:
        return ""


def _nothing(known: Any) -> Any:
    """Of the kind of this key or number, and nobody's."""
    match known:
        case int():
            return 2**31 - 1
        case UUID():
            return UUID(int=0)
        case date():
            return date(1999, 1, 4)
        case _:
            return "nobodys"


def _value(route: str, argument: str) -> Any:
    if route.startswith("admin:") and argument in ("object_id", "id", "pk", "key"):
        return _row_of_admin(route, argument)
    if argument in SAME:
        return SAME[argument]
    if argument == "key" and route.startswith(("events:import", "experiments:judge")):
        page = Upload.EVENTS if route.startswith("events") else "experiments:judge_columns"
        return Upload.objects.get(page=page).key
    if argument in ("key", "experiment__key", "launch__key"):
        return next(value for begins, value in NAMES.items() if route.startswith(begins))
    if argument == "pk":
        model = next(model for begins, model in ROWS.items() if route.startswith(begins))
        return getattr(model._base_manager.order_by("-pk").first(), "pk", 0)
    if argument == "card":
        return BoardCard.objects.get().pk
    if argument == "plan_id":
        return HoldoutPlan.objects.get().pk
    if argument == "reading":
        return HoldoutReading.objects.get().pk
    if argument == "override_id":
        return Override.objects.get().pk
    given: dict[str, Any] = {"slug": SLUGS.get(route, "curve"), "kind": KINDS.get(route, "event")}
    given |= {
        "part": "numbers",
        "action": "back" if route == "experiments:rollout_move" else "stop",
        "step": "plan",
        "app_label": "events",
        "url": "nowhere",
        "content_type_id": 1,
    }
    return given[argument]


def _row_of_admin(route: str, argument: str) -> Any:
    """The newest row of the model whose name is in the route; 0 where there is none."""
    model = _model_of_admin(route)
    if model is None:  # the jump from a row to its page
        return 1
    row = model._base_manager.order_by("-pk").first()
    return 0 if row is None else row.pk if argument != "key" else getattr(row, "key", 0)


def _version_of_row(route: str) -> int:
    """The newest kept version of that row; its number is another one on each database."""
    model = _model_of_admin(route)
    row = None if model is None else model._base_manager.order_by("-pk").first()
    version = None if row is None or not hasattr(row, "history") else row.history.first()
    return 0 if version is None else version.pk


def _model_of_admin(route: str) -> type[Model] | None:
    """The model whose name is in the route, the longest where one begins as another."""
    named = [one for one in apps.get_models() if one._meta.label_lower.replace(".", "_") in route]
    return max(named, key=lambda one: len(one._meta.label)) if named else None
