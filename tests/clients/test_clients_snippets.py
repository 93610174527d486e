"""The set-up page's snippets for curl, Python and Node, run as they stand against a running site."""

import json
import shutil
import subprocess
import time

import pytest

from experiments.models import Experiment
from experiments.status.connection import snippets
from tests.clients.conftest import HERE, PYTHON
from tests.clients.flags import arms, create, issue
from tests.clients.server import Site
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
FLAG = "guild-snippet"


@pytest.fixture(scope="module")
def environment(site: Site) -> dict[str, str]:
    """What the page tells the shell, and nothing else."""
    create(site, {"key": FLAG, "flag_key": FLAG, "variants": arms(1, 9_999, values=["none", "banner"])})
    time.sleep(2)  # what another process writes is seen within two seconds
    return {"INSIGHT_KEY": issue(site, ("server", None, []))[0], "PATH": "/usr/local/bin:/usr/bin:/bin"}


def code(site: Site, slug: str) -> str:
    """A language's snippet, as the page shows it."""
    row = Experiment(key=FLAG, name="G", flag_key=FLAG, value_type="string", default_value="none")
    made = snippets(row, site=site.url, keys={"server": "the key “t”", "client": "the key “t”"})
    return next(one.code for one in made if one.slug == slug)


def run(command: list[str], environment: dict[str, str], text: str = "") -> str:
    """What it prints."""
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, timeout=120, cwd=HERE, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl__as_shown__gets_the_variant(site: Site, environment: dict[str, str]) -> None:
    answer = json.loads(run(["bash"], environment, code(site, "curl")))

    assert (answer["key"], answer["value"], answer["reason"]) == (FLAG, "banner", "SPLIT")


def test_python__as_shown__gets_the_variant(site: Site, environment: dict[str, str]) -> None:
    if not PYTHON.exists():
        missing("the Python clients (make clients)")

    assert run([str(PYTHON), "-"], environment, code(site, "python") + "\nprint(value)\n") == "banner\n"


def test_node__as_shown__gets_the_variant(site: Site, environment: dict[str, str]) -> None:
    if not (shutil.which("node") and (HERE / "node_modules" / "@openfeature").is_dir()):
        missing("the Node clients (make clients)")

    text = code(site, "node") + "\nconsole.log(value)\nprocess.exit(0)\n"
    assert run(["node", "--input-type=module", "-"], environment, text) == "banner\n"
