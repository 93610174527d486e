"""The blocks of README's "Use it from a service", run exactly as they stand against a running site."""

import re
import shutil
import subprocess
import time

import pytest

from tests.clients.conftest import HERE, PYTHON
from tests.clients.flags import arms, ask, create
from tests.clients.server import ROOT, Site
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
SECTION = re.search(r"^## Use it from a service\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", SECTION[1] if SECTION else "", re.DOTALL | re.MULTILINE)
KEYS = """
import json
from events.models import Source
from insight_site.access.keys import COMPUTES, SCOPES, issue_key
source, _ = Source.objects.get_or_create(name="readme")
scopes = {kind: set(given) - set(COMPUTES) for kind, given in SCOPES.items()}
print(json.dumps({name: issue_key(name=name, source=source, kind=kind, scopes=scopes[kind])[1] for name, kind in
                  (("INSIGHT_KEY", "server"), ("INSIGHT_CLIENT_KEY", "client"), ("INSIGHT_ADMIN_KEY", "admin"))}))
"""
ROWS = """
import json
from events.models import OutboxEvent
print(json.dumps(list(OutboxEvent.objects.filter(user_id="user-1").values_list("event", "properties"))))
"""


@pytest.fixture(scope="module")
def environment(site: Site) -> dict[str, str]:
    """What the README tells the shell, and nothing else."""
    create(site, {"key": "guild-invite", "variants": arms(1, 9_999, values=["none", "banner"])})
    time.sleep(2)  # what another process writes is seen within two seconds
    return {"INSIGHT_URL": site.url, "FLAG": "guild-invite", "PATH": "/usr/local/bin:/usr/bin:/bin", **site.run(KEYS)}


def run(language: str, code: str, environment: dict[str, str]) -> str:
    commands = {
        "python": [str(PYTHON), "-c", code],
        "js": ["node", "--input-type=module", "-e", code],
        "sh": ["sh", "-euc", code],
    }
    if not (PYTHON.exists() if language == "python" else shutil.which("curl" if language == "sh" else "node")):
        missing(f"what runs {language} (make clients)")
    if language == "js" and not (HERE / "node_modules").is_dir():
        missing("the Node clients (make clients)")
    done = subprocess.run(
        commands[language], cwd=HERE, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def events(site: Site) -> list[list[str]]:
    found: list[list[str]] = site.run(ROWS)
    return found


def test_readme__has_the_blocks_that_are_promised() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "python", "js", "python", "python", "js", "sh"]


@pytest.mark.parametrize("at", range(len(BLOCKS)))
def test_block__as_it_stands__does_what_the_text_says(at: int, site: Site, environment: dict[str, str]) -> None:
    language, code = BLOCKS[at]
    before = len(events(site))

    out = run(language, code, environment)

    if at < 4:
        assert "banner" in out  # all but one of 10,000 draws
    if at == 3:
        viewed = [text for event, text in events(site) if event == "Experiment Viewed"]
        assert any('"variation_id":"arm1"' in text.replace(" ", "") for text in viewed)
    if at in (4, 5):
        assert len(events(site)) > before
        assert "friend_add" in [event for event, _ in events(site)]
    if at == 6:
        time.sleep(2)
        body = {"context": {"targetingKey": "user-1"}}
        assert ask(site, environment["INSIGHT_KEY"], "/ofrep/v1/evaluate/flags/readme", body)[2]["reason"] == "SPLIT"
