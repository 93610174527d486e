"""Connect a service: how it asks for the flag in eight languages, and whether answers and events arrive."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.core.cache import cache
from django.db.models import Max, Min, Sum
from django.template.defaultfilters import date as as_date
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.metrics import display_name, parse_behaviour
from events.warehouse import queries
from events.warehouse.engine import connect
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, in_utc
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_UNITS
from experiments.models import Assignment, Experiment, FlagAsk
from experiments.plan.fields import Enrolment, ValueType
from experiments.status.overview import Light, Progress
from runs.refusals import Refused
from runs.site_zone import site_zone

# Whether events of a running experiment arrive in the event store: exposures and the moment's behaviour.
#
# The store is queried at most once in `KEPT_SECONDS` per experiment, since a page polls. Events not flushed yet (a
# minute at most) aren't counted.

KEPT_SECONDS = 30
log = structlog.get_logger()


@dataclass(frozen=True)
class Arrived:
    """Events of one kind since the start: number, and times of the first and the last one (None without any)."""

    events: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class FirstEvents:
    """Exposures of the experiment, and the behaviour of its AHA moment; None without a moment."""

    exposures: Arrived
    behaviour: Arrived | None


def first_events(experiment: Experiment, *, ask: bool) -> FirstEvents | None:
    """Events in the store; None while it can't be queried, or the experiment hasn't started.

    Args:
        experiment: with its moment.
        ask: query the store, which may take seconds; False uses only a cached result.
    """
    if experiment.started_at is None:
        return None
    name = f"first-events:{experiment.pk}:{experiment.version}"
    events: FirstEvents | str | None = cache.get(name)
    if events is None and not ask:
        return None
    if events is None:
        events = _first_events_asked(experiment, experiment.started_at) or "away"
        cache.set(name, events, KEPT_SECONDS)
    return None if isinstance(events, str) else events


def _first_events_asked(experiment: Experiment, since: datetime) -> FirstEvents | None:
    try:
        with connect() as warehouse:
            basis = Basis(Clock(DayMode.ROLLING, site_zone()), since, None, warehouse.dialect)
            exposures = queries.exposure_log(warehouse.events, experiment.key, basis)
            seen = _arrived(warehouse.run(queries.first_and_last(exposures, since)))
            if experiment.moment is None:
                return FirstEvents(seen, None)
            behaviour = [parse_behaviour(experiment.moment.behaviour)]
            acts = queries.matching(warehouse.events, behaviour, basis)
            return FirstEvents(seen, _arrived(warehouse.run(queries.first_and_last(acts, since))))
    except Refused:
        return None
    except Exception:  # an unavailable engine must not break the page, which reports it
        log.exception("setup.events_not_asked", experiment=experiment.key)
        return None


def _arrived(frame: Any) -> Arrived:
    row = frame.iloc[0]
    count = int(row.events)
    if not count:
        return Arrived(0, None, None)
    first, last = (in_utc(row[name].to_pydatetime()) for name in ("first", "last"))
    return Arrived(count, first, last)


# Checklist whether the service is connected, from the first request for the flag to balanced groups.

BALANCED_FROM = SAMPLE_RATIO_UNITS


@dataclass(frozen=True)
class Tick:
    """One line of the checklist.

    Attributes:
        code: its name.
        light: `good` once it arrived, `bad` where something is wrong, "" while waiting.
        title: what is expected.
        said: what arrived, or what to do.
    """

    code: str
    light: str
    title: str
    said: str


def checks(experiment: Experiment, at: Progress, *, ask: bool) -> list[Tick]:
    """The checklist, in the order in which its lines are fulfilled.

    Args:
        experiment: with its moment.
        at: its progress.
        ask: query the event store, which may take seconds: for the fragment that a page loads later, not for the page.
    """
    seen = first_events(experiment, ask=ask)
    ticks = [_connection_asked(experiment, at), _assigned(experiment, at), _exposed(experiment, at, seen)]
    if experiment.moment is not None:
        ticks.append(_behaviour(experiment, seen, asked=ask))
    return [*ticks, _balanced(at)]


def _connection_asked(experiment: Experiment, at: Progress) -> Tick:
    rows: Any = FlagAsk.objects.filter(flag_key__in=["", *experiment.flags])
    if experiment.started_at is not None:
        rows = rows.filter(last_at__gte=experiment.started_at)
    totals = rows.aggregate(first=Min("first_at"), last=Max("last_at"), times=Sum("times"))
    title = _("Flag asked for")
    if not totals["times"] and at.assigned:
        return Tick("asked", "", title, _("No call noted: users were assigned by a command or by an earlier version."))
    if not totals["times"]:
        return Tick("asked", "", title, _("Nobody has asked for {flag} yet.").format(flag=experiment.flag_key))
    prefixes = rows.order_by("key_prefix").values_list("key_prefix", flat=True).distinct()
    keys = ", ".join(f"{key}…" for key in prefixes)
    times: int = totals["times"]
    text = ngettext(
        "At least {n} time with {keys}; last: {last}", "At least {n} times with {keys}; last: {last}", times
    )
    return Tick("asked", "good", title, text.format(n=f"{times:,}", keys=keys, last=_when(totals["last"])))


def _assigned(experiment: Experiment, at: Progress) -> Tick:
    title = _("First user assigned")
    first = Assignment.objects.filter(experiment=experiment).aggregate(first=Min("assigned_at"))["first"]
    if first is None:
        return Tick("assigned", "", title, _("No user has been assigned yet."))
    n = at.assigned
    text = ngettext("{n} user assigned; first: {first}", "{n} users assigned; first: {first}", n)
    return Tick("assigned", "good", title, text.format(n=f"{n:,}", first=_when(first)))


def _exposed(experiment: Experiment, at: Progress, seen: FirstEvents | None) -> Tick:
    stamped = Assignment.objects.filter(experiment=experiment).aggregate(first=Min("exposed_at"))["first"]
    stored = None if seen is None else seen.exposures.first
    times = [moment for moment in (stamped, stored) if moment is not None]
    if not times and not at.exposed:
        sentence = _("No exposure yet. Ask for the one flag when its feature is shown, or send Experiment Viewed.")
        return Tick("exposed", "", _("First exposure received"), sentence)
    if not times:
        sentence = ngettext("{n} user exposed.", "{n} users exposed.", at.exposed).format(n=f"{at.exposed:,}")
        return Tick("exposed", "good", _("First exposure received"), sentence)
    text = ngettext("{n} user exposed; first: {first}", "{n} users exposed; first: {first}", at.exposed)
    if not at.exposed:  # events not yet counted by assignments or an analysis
        text = _("The next analysis counts them; first: {first}")
    sentence = text.format(n=f"{at.exposed:,}", first=_when(min(times)))
    return Tick("exposed", "good", _("First exposure received"), sentence)


def _behaviour(experiment: Experiment, seen: FirstEvents | None, *, asked: bool) -> Tick:
    moment: Any = experiment.moment
    name = display_name(moment.behaviour)
    title = _("First {event} event since the start").format(event=name)
    if experiment.started_at is None:
        return Tick("behaviour", "", title, _("Counted from the start on."))
    if seen is None and not asked:
        return Tick("behaviour", "", title, _("The event store is being asked."))
    if seen is None or seen.behaviour is None:
        return Tick("behaviour", "", title, _("The event store can't be asked just now."))
    if seen.behaviour.first is None or seen.behaviour.last is None:
        return Tick("behaviour", "", title, _("No {event} event has come since the start.").format(event=name))
    text = ngettext("{n} event; last: {last}", "{n} events; last: {last}", seen.behaviour.events)
    sentence = text.format(n=f"{seen.behaviour.events:,}", last=_when(seen.behaviour.last))
    return Tick("behaviour", "good", title, sentence)


def _balanced(at: Progress) -> Tick:
    title = _("Groups balanced")
    ratio = next(
        (concern for concern in at.concerns if concern.code == "sample_ratio" or _is_ratio(concern.details)), None
    )
    if ratio is not None:
        light = "bad" if ratio.light is Light.BAD else "warn"
        return Tick("balanced", light, title, _("The split of the exposed users is not the planned one: see Health."))
    if at.exposed < BALANCED_FROM:
        text = _("Tested from {n} exposed users on; {exposed} so far.")
        return Tick("balanced", "", title, text.format(n=BALANCED_FROM, exposed=at.exposed))
    text = _("{nudge}: {exposed} with it, {without} without it")
    between = ", " if any(arm.without is None for arm in at.arms) else "; "
    shown = between.join(
        f"{arm.name} {arm.exposed:,}"
        if arm.without is None
        else text.format(nudge=arm.name, exposed=f"{arm.exposed:,}", without=f"{arm.without:,}")
        for arm in at.arms
    )
    return Tick("balanced", "good", title, _("The exposed users are split as planned: {split}.").format(split=shown))


def _is_ratio(details: dict[str, Any]) -> bool:
    return str(details.get("check", "")).startswith("sample_ratio") or details.get("check") == "srm"


def _when(moment: datetime) -> str:
    return str(as_date(timezone.localtime(moment), "DATETIME_FORMAT"))


# Code snippets that request the flag, in eight languages, with this experiment's flag and this site's address.
#
# They contain no secret: the key comes from the environment, and a comment names it. APIs: docs/assignment.md. Calls
# for one flag expose; the web SDK requests all flags at once, which exposes no unit, so it reports the exposure
# itself.

SERVER, CLIENT = "server", "client"


@dataclass(frozen=True)
class Snippet:
    """The snippet of one language.

    Attributes:
        slug: its anchor.
        name: of the language.
        install: command that installs the packages; "" where none are needed.
        code: to copy.
        kind: of the key that it uses, server or client.
        tried: True when our tests run this client; the others are written from their documentation.
    """

    slug: str
    name: str
    install: str
    code: str
    kind: str
    tried: bool


CURL = """# @KEY@
curl -fsS "@URL@/ofrep/v1/evaluate/flags/@FLAG@" \\
  -H "Authorization: Bearer $INSIGHT_KEY" -H "Content-Type: application/json" \\
  -d '{"context": {"targetingKey": "user-1"}}'
"""

PYTHON = """import os

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

# @KEY@
headers = {"Authorization": f"Bearer {os.environ['INSIGHT_KEY']}"}
api.set_provider(OFREPProvider("@URL@", headers_factory=lambda: headers))
value = api.get_client().@GET@("@FLAG@", @DEFAULT@, EvaluationContext("user-1"))
"""

WEB = """import { OpenFeature } from '@openfeature/web-sdk'
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider'

const key = INSIGHT_CLIENT_KEY // @KEY@
const headers = [['X-API-Key', key]]
await OpenFeature.setContext({ targetingKey: 'user-1' })
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: '@URL@', headers }))
const found = OpenFeature.getClient().@GET@('@FLAG@', @DEFAULT@)

// When the feature is shown: the web SDK asks for all flags at once, which exposes nobody.
if (found.reason === 'SPLIT') {
  await fetch('@URL@/v1/track', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': key },
    body: JSON.stringify({
      userId: 'user-1', event: 'Experiment Viewed',
      properties: { experiment_id: '@EXPERIMENT@', variation_id: found.variant },
    }),
  })
}
"""

NODE = """import { OpenFeature } from '@openfeature/server-sdk'
import { OFREPProvider } from '@openfeature/ofrep-provider'

// @KEY@
const headers = [['Authorization', `Bearer ${process.env.INSIGHT_KEY}`]]
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: '@URL@', headers }))
const value = await OpenFeature.getClient().@GET@('@FLAG@', @DEFAULT@, { targetingKey: 'user-1' })
"""

JAVA = """import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.*;

// @KEY@
var headers = ImmutableMap.of("Authorization", ImmutableList.of("Bearer " + System.getenv("INSIGHT_KEY")));
var options = OfrepProviderOptions.builder().baseUrl("@URL@").headers(headers).build();
OpenFeatureAPI.getInstance().setProviderAndWait(OfrepProvider.constructProvider(options));
var value = OpenFeatureAPI.getInstance().getClient()
    .@GET@("@FLAG@", @DEFAULT@, new ImmutableContext("user-1"));
"""

KOTLIN = """import java.net.HttpURLConnection
import java.net.URL
import org.json.JSONObject

// @KEY@. Not on the main thread; without an answer the app goes on with its default.
fun variant(unit: String, key: String): Any? = try {
    val call = URL("@URL@/ofrep/v1/evaluate/flags/@FLAG@").openConnection() as HttpURLConnection
    call.requestMethod = "POST"
    call.doOutput = true
    call.setRequestProperty("X-API-Key", key)
    call.setRequestProperty("Content-Type", "application/json")
    val body = JSONObject(mapOf("context" to mapOf("targetingKey" to unit))).toString().toByteArray()
    call.setFixedLengthStreamingMode(body.size)
    call.outputStream.use { it.write(body) }
    JSONObject(call.inputStream.bufferedReader().readText()).get("value")
} catch (away: java.io.IOException) { @DEFAULT@ }
"""

SWIFT = """import Foundation

// @KEY@. Without an answer the app goes on with its default.
func variant(unit: String, key: String) async -> Any? {
    var call = URLRequest(url: URL(string: "@URL@/ofrep/v1/evaluate/flags/@FLAG@")!)
    call.httpMethod = "POST"
    call.setValue(key, forHTTPHeaderField: "X-API-Key")
    call.setValue("application/json", forHTTPHeaderField: "Content-Type")
    call.httpBody = try? JSONSerialization.data(withJSONObject: ["context": ["targetingKey": unit]])
    guard let (data, _) = try? await URLSession.shared.data(for: call),
          let answer = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { return @DEFAULT@ }
    return answer["value"] ?? @DEFAULT@
}
"""

GO = """package main

import (
\t"context"
\t"os"

\t"github.com/open-feature/go-sdk-contrib/providers/ofrep"
\t"github.com/open-feature/go-sdk/openfeature"
)

func main() {
\t// @KEY@
\tprovider := ofrep.NewProvider("@URL@", ofrep.WithBearerToken(os.Getenv("INSIGHT_KEY")))
\topenfeature.SetProviderAndWait(provider)
\tclient := openfeature.NewClient("app")
\tuser := openfeature.NewEvaluationContext("user-1", nil)
\tvalue, _ := client.@GET@(context.Background(), "@FLAG@", @DEFAULT@, user)
\t_ = value
}
"""

GROWTHBOOK = """import os

import segment.analytics as insight
from growthbook import GrowthBook

# @KEY@
insight.write_key, insight.host = os.environ["INSIGHT_CLIENT_KEY"], "@URL@"


def exposed(experiment, result, *_, **__):
    seen = {"experiment_id": experiment.key, "variation_id": result.key}
    insight.track("user-1", "Experiment Viewed", seen)


book = GrowthBook(
    api_host="@URL@",
    client_key=os.environ["INSIGHT_CLIENT_KEY"],
    attributes={"id": "user-1"},
    on_experiment_viewed=exposed,
)
book.load_features()
value = book.get_feature_value("@FLAG@", @DEFAULT@)
"""

# The typed call of each client, by the flag's value type; JSON values are objects.
CALLS: dict[str, dict[str, str]] = {
    "python": {
        "boolean": "get_boolean_value",
        "string": "get_string_value",
        "integer": "get_integer_value",
        "number": "get_float_value",
        "json": "get_object_value",
    },
    "web": {
        "boolean": "getBooleanDetails",
        "string": "getStringDetails",
        "integer": "getNumberDetails",
        "number": "getNumberDetails",
        "json": "getObjectDetails",
    },
    "node": {
        "boolean": "getBooleanValue",
        "string": "getStringValue",
        "integer": "getNumberValue",
        "number": "getNumberValue",
        "json": "getObjectValue",
    },
    "java": {
        "boolean": "getBooleanValue",
        "string": "getStringValue",
        "integer": "getIntegerValue",
        "number": "getDoubleValue",
        "json": "getObjectValue",
    },
    "go": {
        "boolean": "BooleanValue",
        "string": "StringValue",
        "integer": "IntValue",
        "number": "FloatValue",
        "json": "ObjectValue",
    },
}
# slug, name, install, code, kind of key, whether our tests run it
WEB_PACKAGES = "npm install @openfeature/web-sdk @openfeature/ofrep-web-provider"
NODE_PACKAGES = "npm install @openfeature/server-sdk @openfeature/ofrep-provider @openfeature/core"
LANGUAGES = (
    ("curl", "curl", "", CURL, SERVER, True),
    ("python", "Python", "pip install openfeature-sdk openfeature-provider-ofrep", PYTHON, SERVER, True),
    ("web", "JavaScript / TypeScript (web)", WEB_PACKAGES, WEB, CLIENT, True),
    ("node", "Node.js", NODE_PACKAGES, NODE, SERVER, True),
    ("java", "Java", "dev.openfeature:sdk, dev.openfeature.contrib.providers:ofrep", JAVA, SERVER, False),
    ("kotlin", "Kotlin (Android)", "", KOTLIN, CLIENT, False),
    ("swift", "Swift (iOS)", "", SWIFT, CLIENT, False),
    ("go", "Go", "go get github.com/open-feature/go-sdk-contrib/providers/ofrep", GO, SERVER, False),
)


def snippets(experiment: Experiment, *, site: str, keys: dict[str, str]) -> list[Snippet]:
    """Snippets of every language, and of the GrowthBook SDK where it supports the experiment.

    Args:
        experiment: of the requested flag.
        site: address of this site, without a trailing slash.
        keys: comment about the key, by kind: its name, never the key itself.
    """
    rows = list(LANGUAGES)
    if fits_growthbook(experiment):
        install = "pip install growthbook segment-analytics-python"
        rows.append(("growthbook", "GrowthBook (Python)", install, GROWTHBOOK, CLIENT, True))
    return [
        Snippet(slug, name, install, _filled(code, slug, experiment, site, keys[kind]), kind, tried)
        for slug, name, install, code, kind, tried in rows
    ]


def fits_growthbook(experiment: Experiment) -> bool:
    """Whether a local SDK gets the rules of this experiment (docs/assignment.md, "Local SDKs")."""
    return not experiment.remote_only and experiment.enrolment == Enrolment.ALL


def _filled(code: str, slug: str, experiment: Experiment, site: str, key: str) -> str:
    """The code with its values; of a lab for the flag of its first nudge."""
    flag, kind, default = experiment.flag_key, experiment.value_type, experiment.default_value
    if experiment.is_lab and experiment.nudges:
        flag, kind, default = experiment.flags[1], ValueType.BOOLEAN.value, False
    values = {
        "@URL@": site,
        "@FLAG@": flag,
        "@EXPERIMENT@": experiment.key,
        "@KEY@": key,
        "@GET@": CALLS.get(slug, {}).get(kind, ""),
        "@DEFAULT@": literal(default, slug),
    }
    for name, value in values.items():
        code = code.replace(name, value)
    return code.rstrip("\n")


def literal(value: Any, language: str) -> str:
    """A value as a literal of the language; an empty object where the language has no short form for objects."""
    if language in ("python", "growthbook"):
        return repr(value)
    nothing = {"java": "null", "kotlin": "null", "swift": "nil", "go": "nil"}.get(language, "null")
    if value is None:
        return nothing
    if isinstance(value, dict | list) and language not in ("web", "node"):
        return {"java": "new Value()", "go": "map[string]any{}"}.get(language, nothing)
    return json.dumps(value, ensure_ascii=False)
