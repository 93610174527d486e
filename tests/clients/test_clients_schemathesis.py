"""Schemathesis against the running site: no 500, no status and no shape that the OpenAPI documents don't tell.

On SQLite, and on PostgreSQL where `.ci/run database` names one: what a text column can't hold differs.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import PYTHON
from tests.clients.flags import arms, create
from tests.clients.server import ROOT, Site, running_site
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
PROGRAM = PYTHON.parent / "schemathesis"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)
KEYS = """
import json
from events.models import Source
from insight_site.access.keys import COMPUTES, SCOPES, issue_key
source, _ = Source.objects.get_or_create(name="schemathesis")
rest = {"name": "t", "source": source, "rate": 10**9}
print(json.dumps([issue_key(kind=kind, scopes=set(SCOPES[kind]) - set(COMPUTES), **rest)[1]
                  for kind in ("admin", "client")]))
"""
ROWS = """
from aha.moments.promote import create_moment
from segments.models import SegmentModel
create_moment(name="Two", behaviour="add", times=2, days=2, signup_event="signup", retention="window:3-4")
SegmentModel.objects.create(key="style", name="Style", kind="cluster")
print("null")
"""


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own: what schemathesis makes, an active holdout perhaps, must not reach other tests."""
    with running_site(tmp_path_factory.mktemp("thesis")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(own_site: Site) -> list[str]:
    """A key that may do all, and one for paths, on a site that has something of each kind."""
    create(
        own_site,
        {"key": "thesis", "variants": arms(5_000, 5_000)},
        {"key": "draft", "variants": arms(5_000, 5_000), "actions": []},
    )
    own_site.run(ROWS)
    issued: list[str] = own_site.run(KEYS)
    return issued


ALL = "examples,coverage,fuzzing"


@pytest.mark.parametrize(
    ("document", "phases", "examples"),
    [
        ("openapi", "coverage", 1),
        pytest.param("openapi", "examples,fuzzing", 5, marks=pytest.mark.proof),
        ("openapi-ofrep", ALL, 60),
        ("openapi-events", ALL, 60),
        ("openapi-growthbook", ALL, 60),
    ],
)
def test_site__asked_by_schemathesis__keeps_its_contract(
    document: str, phases: str, examples: int, own_site: Site, keys: list[str], tmp_path: Path
) -> None:
    if not PROGRAM.exists():
        missing("schemathesis (make clients)")
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.client_key" = "{keys[1]}"\n')
    command = [
        str(PROGRAM),
        "run",
        str(ROOT / "docs" / f"{document}.yaml"),
        "--url",
        own_site.url,
        "-H",
        f"Authorization: Bearer {keys[0]}",
        "--checks",
        CHECKS,
        "--phases",
        phases,
        "--max-examples",
        str(examples),
        "--generation-deterministic",
        "--continue-on-failure",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
        "--no-color",
    ]

    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
