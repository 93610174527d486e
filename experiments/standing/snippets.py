"""Code snippets that request the flag, in eight languages, with this experiment's flag and this site's address.

They contain no secret: the key comes from the environment, and a comment names it. APIs: docs/assignment.md. Calls for
one flag expose; the web SDK requests all flags at once, which exposes no unit, so it reports the exposure itself.
"""

import json
from dataclasses import dataclass
from typing import Any

from experiments.models import Experiment

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
    return not experiment.remote_only and experiment.enrolment == Experiment.Enrolment.ALL


def _filled(code: str, slug: str, experiment: Experiment, site: str, key: str) -> str:
    values = {
        "@URL@": site,
        "@FLAG@": experiment.flag_key,
        "@EXPERIMENT@": experiment.key,
        "@KEY@": key,
        "@GET@": CALLS.get(slug, {}).get(experiment.value_type, ""),
        "@DEFAULT@": literal(experiment.default_value, slug),
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
