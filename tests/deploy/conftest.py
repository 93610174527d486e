"""The image, built once; the deployment, started once for each kind of event store."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import object_store
from tests.deploy import machine
from tests.deploy.image import Stage, build, enter, new_folder
from tests.deploy.site import COMPOSE, ROOT, SITE, Person, Running, postgresql

BOSS = "boss@example.com"
DEMO_UNITS = 1_000
TOOLS = """
FROM debian:13-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
    nginx-light caddy systemd procps curl
"""
COMPILED = """
import os, django; os.environ["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"; django.setup()
from runs.queue import worker
worker._mark_of_warm().parent.mkdir(parents=True, exist_ok=True)
worker._mark_of_warm().touch()
"""
# What the image of the proxy has around our files.
NGINX = """
worker_processes 1; pid /tmp/nginx.pid; error_log /dev/stderr; events { worker_connections 1024; }
http { include /etc/nginx/mime.types; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e; include /etc/nginx/conf.d/*.conf; }
"""


@dataclass
class Times:
    """Seconds by step, printed at the end."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began
        print(f"deploy: {name}: {self.steps[name]:.1f} s", file=sys.__stderr__, flush=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The upgrade first: once a deployment runs, this process is in a network of its own, with another PostgreSQL."""
    items.sort(key=lambda item: item.path.name != "test_upgrade.py")


@pytest.fixture(scope="session")
def times() -> Times:
    return Times()


@pytest.fixture(scope="session")
def room() -> Iterator[Path]:
    """A folder that other users can enter, on a real disk: layers lie in it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="insight-deploy-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def context(room: Path) -> Path:
    """A clean tree, with what must never enter the image laid beside."""
    place = room / "context"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    for name in (".env", "deploy/.env", "var/secret_key", "insight_site/__pycache__/x.pyc", "deploy/tls/privkey.pem"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("SECRET_KEY=planted-secret\n")
    return place


@pytest.fixture(scope="session")
def image(room: Path, context: Path, times: Times) -> Stage:
    """deploy/Dockerfile, carried out; INSIGHT_DEPLOY_KEEP names a folder that keeps it, for work on these tests."""
    keep = Path(os.environ["INSIGHT_DEPLOY_KEEP"]) if "INSIGHT_DEPLOY_KEEP" in os.environ else None
    if keep and (keep / "stage").exists():
        times.steps |= {"debootstrap": 0.0, "Dockerfile": 0.0}
        kept: Stage = pickle.loads((keep / "stage").read_bytes())
        return kept
    with times.step("debootstrap"):
        base = machine.debian()
    lent = machine.lent(new_folder(room / "lent"))
    text = (context / "deploy/Dockerfile").read_text()
    with times.step("Dockerfile"):
        place = new_folder(keep or room / "image")
        stage = build(text, base={"debian:13-slim": base}, context=context, place=place, machine=lent)
    if keep:
        (keep / "stage").write_bytes(pickle.dumps(stage))
    return stage


@pytest.fixture(scope="session")
def tools(room: Path, context: Path) -> Stage:
    """nginx, Caddy and systemd of Debian 13, beside our image."""
    lent = machine.lent(new_folder(room / "lent-tools"))
    base = {"debian:13-slim": machine.debian()}
    found = build(TOOLS, base=base, context=context, place=new_folder(room / "tools"), machine=lent)
    (found.layers[0] / "etc/nginx/insight-test.conf").write_text(NGINX)
    shutil.rmtree(found.layers[0] / "etc/nginx/conf.d", ignore_errors=True)
    for name in ("insight.conf", "default.conf"):
        (found.layers[0] / "etc/nginx/conf.d").mkdir(exist_ok=True)
        (found.layers[0] / "etc/nginx/conf.d" / name).touch()
    (found.layers[0] / "etc/insight/tls").mkdir(parents=True)
    (found.layers[0] / "etc/hosts").touch()
    return found


@pytest.fixture(scope="session", params=["disk", pytest.param("s3", marks=pytest.mark.proof)])
def running(request: pytest.FixtureRequest, room: Path, image: Stage, tools: Stage, times: Times) -> Iterator[Running]:
    """Database, set-up, web, worker and proxy, in the order of compose; first administrator, first verdict."""
    store, here = request.param, new_folder(room / request.param)
    own = {"SECRET_KEY": os.urandom(32).hex(), "POSTGRES_PASSWORD": os.urandom(16).hex(), "OMP_NUM_THREADS": "1"}
    own |= {"ALLOWED_HOSTS": "insight.example,localhost", "TLS_FOLDER": str(here / "tls")}
    with ExitStack() as stack:
        stack.enter_context(machine.own_network())
        if store == "s3":
            address = stack.enter_context(object_store.server())
            own["EVENTS_URL"] = object_store.new_bucket(address, own.__setitem__)
        stack.enter_context(postgresql(here, own["POSTGRES_PASSWORD"]))
        site = Running(here, image, tools, own)
        stack.callback(site.end)
        began = time.monotonic()
        with times.step(f"{store}: set-up (migrations)"):
            site.run("setup", *[site._filled(word) for word in COMPOSE["services"]["setup"]["command"]])
        if store == "s3":  # its worker needn't compile for a minute what that of the other site has compiled
            site.run("setup", "python", "-c", COMPILED)
        with times.step(f"{store}: web, worker and proxy healthy"):
            site.start("web")
            site.start("worker")
            site.wait_healthy("web", image.health)
            _proxy(site)
            site.wait_healthy("worker", COMPOSE["services"]["worker"]["healthcheck"]["test"][1:])
            site.wait_healthy("proxy", COMPOSE["services"]["proxy"]["healthcheck"]["test"][1:])
        site.link = json.loads(site.run("setup", *_bootstrap()))["link"]
        if store == "disk":  # that analyses read a bucket as they read a folder is shown by tests/engines
            with times.step("demo, to its verdict"):
                demo = ["python", "manage.py", "demo", "--units", str(DEMO_UNITS), "--json"]
                site.demo = json.loads(site.run("setup", *demo))
        site.key = json.loads(site.run("setup", *_bootstrap("--source", "shop")))["key"]
        site.minutes = (
            sum(times.steps[name] for name in ("debootstrap", "Dockerfile")) + time.monotonic() - began
        ) / 60
        yield site


def _bootstrap(*more: str) -> list[str]:
    return ["python", "manage.py", "bootstrap", "--email", BOSS, "--json", "--address", SITE, *more]


def _proxy(site: Running) -> None:
    tls = new_folder(site.room / "tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=insight.example"]
    make += ["-addext", "subjectAltName=DNS:insight.example", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
    subprocess.run(make, cwd=tls, check=True, capture_output=True)
    for file in tls.iterdir():
        os.chown(file, 101, 101)
    binds = {f"ro:{site.room / 'hosts'}": "/etc/hosts"}
    for volume in COMPOSE["services"]["proxy"]["volumes"]:
        ours, inside, _ = site._filled(volume).rsplit(":", 2)
        binds[f"ro:{ROOT / 'deploy' / ours}"] = inside
    command = enter(
        site.tools.layers,
        ["nginx", "-c", "/etc/nginx/insight-test.conf", "-g", "daemon off;"],
        work=new_folder(site.room / "work-proxy"),
        env={"PATH": os.environ["PATH"]},
        user="101:101",
        binds=binds,
        tmpfs=("/tmp",),
    )
    site.start("proxy", command)


@pytest.fixture
def person(running: Running) -> Person:
    return Person(running.room / "tls" / "fullchain.pem")
