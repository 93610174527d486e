"""The whole deployment on this machine: the Dockerfile's steps in chroots, what compose starts, the proxy in front.

No container engine runs here. Stages are layers, services are processes in a read-only root with the user, environment
and command that deploy/compose.yaml gives them; PostgreSQL and nginx are Debian's. Memory limits are not enforced.
"""

import json
import re
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.deploy.image import Stage
from tests.deploy.site import COMPOSE, Person, Running

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1200)]
of_one_store = pytest.mark.parametrize(
    "running", ["disk"], indirect=True
)  # the proxy and the image are the same over each
BOSS, PASSWORD = "boss@example.com", "violet-otter-19-canyon"
POST = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
# What slow clients send at once, and what then follows byte by byte.
SLOW = {
    "idle": ("", ""),
    "headers": ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", "a" * 200),
    "body": (POST.format(path="/v1/batch") + "Authorization: Bearer {key}\r\nContent-Length: 400\r\n\r\n{", " " * 200),
    "large body": (POST.format(path="/v1/import") + "Content-Length: 9000000\r\n\r\n{", " " * 200),
}


def test_image__holds_no_secret_no_data_and_no_test(image: Stage) -> None:
    names = {path.relative_to(layer).as_posix() for layer in image.layers[:1] for path in layer.rglob("*")}
    planted = [
        path
        for path in (image.layers[0] / "app").rglob("*")
        if path.is_file() and b"planted-secret" in path.read_bytes()
    ]

    assert planted == []
    assert not [
        name for name in names if name.endswith((".env", "secret_key")) or name.startswith(("app/tests", "app/.git"))
    ]
    assert list((image.layers[0] / "data").iterdir()) == []
    assert not [name for name in names if name.startswith(("run/", "build/"))]
    assert not (image.layers[0] / "opt/insight/bin/pip").exists()
    assert not (image.layers[0] / "opt/insight/bin/uv").exists()


def test_image__has_what_it_needs_and_says_what_it_is(image: Stage) -> None:
    app = image.layers[0] / "app"

    assert (app / "locale/ko/LC_MESSAGES/django.mo").exists()
    assert (app / "static_root/insight_site/tokens.css").exists()
    assert list((app / "insight_site/__pycache__").glob("settings.*.pyc"))
    assert image.user == "10001:10001"
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert not [path for path in app.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]


@of_one_store
def test_site__is_healthy_and_a_first_verdict_stands(running: Running) -> None:
    """`make test-deploy` prints the minutes; docs/deploy.md quotes them."""
    print(f"minutes from nothing to the first verdict: {running.minutes:.1f}")

    assert running.demo["verdict"]["code"] in ("CAUSES", "INCONCLUSIVE"), running.demo
    assert running.minutes < 15


@of_one_store
def test_administrator__chooses_a_password_logs_in_and_reads_the_verdict(running: Running, person: Person) -> None:
    path = urlsplit(running.link).path
    status, page, answer = person.ask(path)
    assert (status, "Set your password" in page) == (200, True), page[:2_000]
    person.ask(urlsplit(answer.url).path, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert "This link has ended" in person.ask(path)[1]
    person.ask("/login/")
    status, page, answer = person.ask("/login/", {"username": BOSS, "password": PASSWORD, "next": ""})

    assert (status, urlsplit(answer.url).path) == (200, "/"), page[:2_000]
    status, page, _ = person.ask("/experiments/")
    assert status == 200
    address = next(page for page in running.demo["pages"] if page.endswith("-test/"))
    status, page, _ = person.ask(urlsplit(address).path)
    assert status == 200
    assert "verdict" in page
    assert "No verdict yet" not in page
    cookie = next(cookie for cookie in person.cookies if cookie.name == "sessionid")
    assert cookie.secure


@of_one_store
def test_assignment__through_the_proxy__is_answered(running: Running, person: Person) -> None:
    status, text, _ = person.ask(
        "/ofrep/v1/evaluate/flags/demo-invite-banner",
        {"json": {"context": {"targetingKey": "visitor-1"}}},
        Authorization=f"Bearer {running.key}",
    )

    assert status == 200, text
    assert json.loads(text)["reason"] in ("SPLIT", "TARGETING_MATCH", "DEFAULT"), text


def test_event__through_the_proxy__is_taken_and_moved_to_the_store(running: Running, person: Person) -> None:
    event = {"userId": "u1", "event": "hello", "messageId": f"m-{time.time()}"}

    status, text, _ = person.ask("/v1/track", {"json": event}, Authorization=f"Bearer {running.key}")

    assert (status, json.loads(text)["accepted"]) == (200, 1), text
    until = time.monotonic() + 150  # the worker flushes each minute
    while "ok: 0 rows wait" not in (said := running.run("setup", "python", "-c", PARTS)):
        assert time.monotonic() < until, said + running.log("worker")[-2_000:]
        time.sleep(3)


PARTS = """
import os, django; os.environ["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"; django.setup()
from insight_site.operate import component_health as signs
print("\\n".join(f"{name} {signs.look(name).line}" for name in signs.SIGNS))
"""


def test_doctor__in_the_container__finds_nothing_wrong(running: Running) -> None:
    found = json.loads(running.run("setup", "python", "manage.py", "doctor", "--json"))["findings"]

    assert [one for one in found if one["state"] == "wrong"] == []
    assert {one["name"]: one["state"] for one in found}["packages"] == "ok"


@of_one_store
@pytest.mark.parametrize(
    "path", ["/metrics", "/healthz/parts", "/healthz/parts/disk", "/readyz", "/metrics/", "//metrics"]
)
def test_monitoring__is_not_passed_on_to_the_outside(running: Running, person: Person, path: str) -> None:
    assert person.ask(path)[0] in (401, 404)
    assert "insight_" not in person.ask(path)[1]


@of_one_store
def test_plain_http__sends_people_on_and_refuses_machines(running: Running) -> None:
    said = {path: _plain(path) for path in ("/", "/v1/batch", "/healthz")}

    assert said["/"].startswith("HTTP/1.1 308")
    assert "Location: https://insight.example/" in said["/"]
    assert said["/v1/batch"].startswith("HTTP/1.1 403")
    assert said["/healthz"].startswith("HTTP/1.1 200")


def _plain(path: str) -> str:
    with socket.create_connection(("127.0.0.1", 8080), timeout=10) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: insight.example\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65_536), b"")).decode("latin-1")


@of_one_store
def test_address__that_a_visitor_writes__is_not_believed(running: Running, person: Person) -> None:
    """Were it believed, everybody could read the metrics: 127.0.0.1 may be an internal network."""
    for header in ("X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded"):
        assert person.ask("/metrics", **{header: "127.0.0.1"})[0] == 404
        assert person.ask("/healthz/parts", **{header: "for=127.0.0.1"})[0] == 404


@of_one_store
def test_login__guessed_again_and_again__is_slowed_for_this_visitor(running: Running, person: Person) -> None:
    said = [person.ask("/login/")[0] for _ in range(40)]

    assert said.count(429) >= 10
    assert person.ask("/healthz")[0] == 200


@of_one_store
@pytest.mark.parametrize("mode", SLOW)
def test_slow_clients__through_the_proxy__keep_nobody_waiting(running: Running, person: Person, mode: str) -> None:
    at_once, then = SLOW[mode]
    trust = ssl.create_default_context(cafile=str(running.room / "tls" / "fullchain.pem"))
    socks = []
    for _ in range(20):
        sock = trust.wrap_socket(socket.create_connection(("127.0.0.1", 8443)), server_hostname="insight.example")
        sock.sendall(at_once.replace("{key}", running.key).encode())
        socks.append(sock)
    good = 0
    for byte in then[:12] or " " * 12:
        for sock in socks:
            with suppress(OSError):
                sock.sendall(byte.encode() if then else b"")
        began = time.monotonic()
        good += person.ask("/healthz")[0] == 200 and time.monotonic() - began < 1
    for sock in socks:
        sock.close()

    assert good == 12


@of_one_store
def test_root__is_read_only_and_only_data_and_tmp_are_written(running: Running) -> None:
    write = "(: > $place/probe) 2>/dev/null && echo $place"
    script = f"for place in / /app /opt/insight /etc /usr /data /tmp; do {write}; done; id -u"

    assert running.run("setup", "sh", "-c", script).split() == ["/data", "/tmp", "10001"]
    (running.data / "probe").unlink()


@of_one_store
def test_process__has_no_capability_and_gets_none(running: Running) -> None:
    said = running.run("setup", "cat", "/proc/self/status")

    assert re.findall(r"(Cap\w+|NoNewPrivs):\s+(\w+)", said) == [
        *[(name, "0" * 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        ("NoNewPrivs", "1"),
    ]


def test_second_worker__is_safe_and_both_end_in_time(running: Running) -> None:
    running.start("second", running.command("worker"))
    running.wait_healthy("second", COMPOSE["services"]["worker"]["healthcheck"]["test"][1:])
    assert "worker ok: 2 alive" in running.run("setup", "python", "-c", PARTS)

    seconds = running.stop("second", int(COMPOSE["services"]["worker"]["stop_grace_period"][:-1]))

    assert seconds < 45
    assert "worker ok: 1 alive" in running.run("setup", "python", "-c", PARTS)


def test_set_up__again__changes_nothing(running: Running) -> None:
    running.run("setup", *[running._filled(word) for word in COMPOSE["services"]["setup"]["command"]])

    said = json.loads(running.run("setup", "python", "manage.py", "bootstrap", "--email", BOSS, "--json"))
    assert said == {"administrator": None, "link": None, "source": None, "key": None}


@of_one_store
def test_web__told_to_end__ends_in_time_and_comes_back(running: Running, image: Stage) -> None:
    assert running.stop("web", int(COMPOSE["services"]["web"]["stop_grace_period"][:-1])) < 35

    running.start("web")
    running.wait_healthy("web", image.health)
