"""Code snippets, by language, that send a first event and request an assignment, with address and key filled in.

Pure. None needs an installed package. Our tests run the server-side ones unchanged where the machine has their
runtime (`tried`); docs/events.md has the same snippets.
"""

from dataclasses import dataclass
from string import Template
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Snippet:
    """A snippet that sends an event and requests an assignment.

    Attributes:
        slug: its id on the page.
        title: the language.
        text: code that sends an event.
        ask: code that requests an assignment; "" where the snippet only shows another way to send.
        browser: whether it runs in a browser, where a secret key must never be.
        tried: our tests run it as it stands.
    """

    slug: str
    title: Any
    text: str
    ask: str = ""
    browser: bool = False
    tried: bool = True


EVENT = '{"userId": "user-1", "event": "signup", "properties": {"platform": "web"}}'
UNIT = '{"context": {"targetingKey": "user-1"}}'

CURL = f"""\
curl -sS -H 'X-API-Key: $key' -H 'Content-Type: application/json' \\
  -d '{EVENT}' \\
  $host/v1/track
"""
CURL_ASK = f"""\
curl -sS -H 'X-API-Key: $key' -H 'Content-Type: application/json' \\
  -d '{UNIT}' \\
  $host/ofrep/v1/evaluate/flags/$flag
"""
PYTHON = """\
import json
from urllib.request import Request, urlopen

event = {"userId": "user-1", "event": "signup", "properties": {"platform": "web"}}
headers = {"X-API-Key": "$key", "Content-Type": "application/json"}
call = Request("$host/v1/track", json.dumps(event).encode(), headers)
print(urlopen(call, timeout=5).read().decode())
"""
PYTHON_ASK = """\
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

unit = {"context": {"targetingKey": "user-1"}}
headers = {"X-API-Key": "$key", "Content-Type": "application/json"}
call = Request("$host/ofrep/v1/evaluate/flags/$flag", json.dumps(unit).encode(), headers)
try:
    print(json.load(urlopen(call, timeout=5))["value"])
except HTTPError as missing:  # no such flag: go on with your default
    print(missing.code, missing.read().decode())
"""
JAVASCRIPT = """\
const answer = await fetch("$host/v1/track", {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-API-Key": "$key" },
  body: JSON.stringify({ userId: "user-1", event: "signup", properties: { platform: "web" } }),
});
console.log(answer.status, await answer.text());
"""
JAVASCRIPT_ASK = """\
const answer = await fetch("$host/ofrep/v1/evaluate/flags/$flag", {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-API-Key": "$key" },
  body: JSON.stringify({ context: { targetingKey: "user-1" } }),
});
console.log(answer.status, await answer.json());
"""
# One file each: Java 17 and later runs it by `java Snippet.java`.
JAVA = """\
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Snippet {
    public static void main(String[] args) throws Exception {
        var call = HttpRequest.newBuilder(URI.create("$host$path"))
            .header("X-API-Key", "$key")
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(\"\"\"
                $body\"\"\"))
            .build();
        var answer = HttpClient.newHttpClient().send(call, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body());
    }
}
"""
KOTLIN = """\
import java.net.HttpURLConnection
import java.net.URI

// Not on the main thread of an app.
fun main() {
    val call = URI("$host$path").toURL().openConnection() as HttpURLConnection
    call.requestMethod = "POST"
    call.doOutput = true
    call.setRequestProperty("X-API-Key", "$key")
    call.setRequestProperty("Content-Type", "application/json")
    val body = \"\"\"$body\"\"\".toByteArray()
    call.setFixedLengthStreamingMode(body.size)
    call.outputStream.use { it.write(body) }
    val answer = if (call.responseCode < 400) call.inputStream else call.errorStream
    println("${call.responseCode} ${answer.bufferedReader().readText()}")
}
"""
SWIFT = """\
import Foundation

var call = URLRequest(url: URL(string: "$host$path")!)
call.httpMethod = "POST"
call.setValue("$key", forHTTPHeaderField: "X-API-Key")
call.setValue("application/json", forHTTPHeaderField: "Content-Type")
call.httpBody = #"$body"#.data(using: .utf8)
let (answer, _) = try await URLSession.shared.data(for: call)
print(String(decoding: answer, as: UTF8.self))
"""
GO = """\
package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

func main() {
	body := strings.NewReader(`$body`)
	call, _ := http.NewRequest("POST", "$host$path", body)
	call.Header.Set("X-API-Key", "$key")
	call.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(call)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.StatusCode, string(text))
}
"""
BATCH = """\
curl -sS -H 'Content-Type: application/json' -d '{
  "writeKey": "$key",
  "batch": [
    {"type": "identify", "userId": "user-1", "traits": {"platform": "web"}},
    {"type": "track", "userId": "user-1", "event": "signup", "messageId": "signup-user-1"}
  ]
}' $host/v1/batch
"""


def snippets(host: str, key: str, *, public: bool, flag: str = "my-flag") -> tuple[Snippet, ...]:
    """The snippets in which this kind of key may be used, the simplest first.

    Args:
        host: scheme and name of this site, without a last slash.
        key: the key, or a placeholder where it isn't known any more.
        public: whether it is a client key, which may be public.
        flag: the flag to ask for.
    """

    def filled(text: str, path: str = "", body: str = "") -> str:
        # Kotlin's own `${…}` is no placeholder of ours.
        return Template(text).safe_substitute(host=host, key=key, flag=flag, path=path, body=body)

    def both(text: str) -> tuple[str, str]:
        return filled(text, "/v1/track", EVENT), filled(text, f"/ofrep/v1/evaluate/flags/{flag}", UNIT)

    rows = (
        Snippet("curl", "curl", filled(CURL), filled(CURL_ASK)),
        Snippet("browser", _("JavaScript in a browser"), filled(JAVASCRIPT), filled(JAVASCRIPT_ASK), browser=True),
        Snippet("python", "Python", filled(PYTHON), filled(PYTHON_ASK)),
        Snippet("node", "Node", filled(JAVASCRIPT), filled(JAVASCRIPT_ASK)),
        Snippet("java", "Java", *both(JAVA)),
        Snippet("kotlin", "Kotlin", *both(KOTLIN), tried=False),
        Snippet("swift", "Swift", *both(SWIFT), tried=False),
        Snippet("go", "Go", *both(GO), tried=False),
        Snippet("batch", _("Several events in one call"), filled(BATCH)),
    )
    return tuple(row for row in rows if public or not row.browser)
