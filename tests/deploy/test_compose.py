"""deploy/compose.yaml: valid, complete, and as narrow as it says. Nothing here needs a container engine."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from insight_site.operate.doctor import size
from tests.deploy.image import parse

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests/fixtures/compose_spec/compose-spec.json"
SHA256 = "d549057ebc2925f39f62799eab0db7b9e2c18b35b6c00595199116da3ed10e64"
TEXT = (ROOT / "deploy/compose.yaml").read_text()
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:?[-?])?([^}]*)\}")


def test_file__fits_the_schema_of_the_compose_specification() -> None:
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() == SHA256

    jsonschema.validate(COMPOSE, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(
    ("place", "value"), [("read_only", "perhaps"), ("healthchek", {}), ("depends_on", {"web": {}})]
)
def test_schema__of_a_mistake__finds_it(place: str, value: Any) -> None:
    broken = yaml.safe_load(TEXT)
    broken["services"]["web"][place] = value if place != "read_only" else [value]

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json.loads(SCHEMA.read_text()))


def test_variables__each_one__stands_in_the_example_and_no_other_does() -> None:
    example = (ROOT / "deploy/env.example").read_text()
    asked = {name for name, *_ in VARIABLE.findall(TEXT)}
    offered = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))

    assert asked - offered == set()
    assert offered - asked == {"BOOTSTRAP_ADMIN_EMAIL"}  # read inside, by way of env_file


def test_secrets__have_no_default_and_stop_the_start_when_they_are_missing() -> None:
    found = {name: (kind, text) for name, kind, text in VARIABLE.findall(TEXT)}

    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS"):
        assert found[name] == (":?", f"Set {name} in deploy/.env")
        assert re.search(rf"^{name}=$", (ROOT / "deploy/env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_service__may_write_nowhere_but_where_it_must_and_has_no_rights(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "setup"])
def test_service__that_stays__comes_back_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    image = [one for one in parse((ROOT / "deploy/Dockerfile").read_text()) if one.name == "HEALTHCHECK"]

    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or (name == "web" and len(image) == 1)


def test_order__database_then_setup_then_web_then_proxy() -> None:
    waits = {
        name: {other: rule["condition"] for other, rule in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }

    assert waits == {
        "database": {},
        "setup": {"database": "service_healthy"},
        "web": {"setup": "service_completed_successfully"},
        "worker": {"setup": "service_completed_successfully"},
        "streams": {"setup": "service_completed_successfully"},
        "agents": {"setup": "service_completed_successfully"},
        "proxy": {"web": "service_healthy"},
    }


def test_streams_and_agents__are_served_where_the_example_asks_for_it_alone() -> None:
    example = (ROOT / "deploy/env.example").read_text()
    upstream = (ROOT / "deploy/nginx/upstream-compose.conf").read_text()

    asked = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert asked == {"streams": ["streams"], "agents": ["agents"]}
    assert "COMPOSE_PROFILES=agents, or streams,agents" in example
    assert "agents:8765" in upstream
    assert "#COMPOSE_PROFILES=streams\n#EVENT_STREAMS_URL=https://" in example
    assert "streams:8001" in upstream


def test_database__can_be_reached_by_our_services_alone() -> None:
    assert SERVICES["database"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_end__is_waited_for_longer_than_jobs_and_requests_may_take() -> None:
    worker, web = SERVICES["worker"], SERVICES["web"]

    assert int(worker["stop_grace_period"][:-1]) >= int(worker["environment"]["WORKER_GRACE_SECONDS"]) + 15
    assert int(web["stop_grace_period"][:-1]) > 30  # gunicorn.conf.py, graceful_timeout


def test_memory__that_questions_of_all_web_processes_may_take__is_less_than_the_limit() -> None:
    given = {**SERVICES["web"]["environment"], "WEB_MEMORY": SERVICES["web"]["mem_limit"]}
    found = {name: VARIABLE.search(str(value)) for name, value in given.items()}
    memory, questions, processes, limit = (
        match[3] if (match := found[name]) else ""
        for name in ("EXPLORE_MEMORY", "EXPLORE_QUESTIONS", "WEB_CONCURRENCY", "WEB_MEMORY")
    )
    unit = (ROOT / "deploy/systemd/insight-web@.service").read_text()

    assert size(memory) * int(questions) * int(processes) <= 0.75 * size(limit)
    assert f"Environment=EXPLORE_MEMORY={memory} EXPLORE_QUESTIONS={questions}\n" in unit
    assert f"MemoryMax={limit.upper()}\n" in unit


def test_proxy__of_a_new_web__asks_anew_where_it_is() -> None:
    assert SERVICES["proxy"]["depends_on"]["web"]["restart"] is True


@pytest.mark.parametrize("name", SERVICES)
def test_log__of_each_service__has_an_end(name: str) -> None:
    assert SERVICES[name]["logging"] == {"driver": "local", "options": {"max-size": "20m", "max-file": "5"}}


def test_backups__have_a_place_that_the_user_of_the_image_can_write() -> None:
    """A new volume gets owner and mode of the folder of the image."""
    assert re.search(r"install -d -o 10001 -g 10001 -m 0700 /data /backups$", DOCKERFILE, re.MULTILINE)
    assert {name for name, one in SERVICES.items() if "${BACKUP_FOLDER:-backups}:/backups" in one["volumes"]} == {
        *("setup", "web", "worker", "streams", "agents")
    }


def test_every_named_volume__is_declared() -> None:
    used = {
        volume.removeprefix("${BACKUP_FOLDER:-").split(":")[0].rstrip("}")
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str) and re.match(r"(\$\{BACKUP_FOLDER:-)?\w+\}?:", volume)
    }

    assert used == COMPOSE["volumes"].keys()


def test_mounted_files__are_in_the_repository() -> None:
    mounted = [volume.split(":")[0] for volume in SERVICES["proxy"]["volumes"] if volume.startswith("./")]

    assert mounted
    assert [name for name in mounted if not (ROOT / "deploy" / name).is_file()] == []
