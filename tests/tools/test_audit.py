"""The audit of our code and its lock: what may stay has a reason, what is new fails, and no network fails nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from tools import audit

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.proof  # `.ci/run` has it from `make audit`
def test_code__as_it_stands__has_no_finding_without_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.audit_code() == 0, capsys.readouterr().out


def test_findings__new_ones__are_named_and_known_ones_are_not() -> None:
    row = {"line_number": 3, "issue_text": "a shell"}
    new = {**row, "test_id": "B602", "filename": "./events/store/event_table.py"}
    known = {**row, "test_id": "B311", "filename": "insight_site/operate/request_lines.py"}
    elsewhere = {**known, "filename": "insight_site/access/keys.py"}

    assert audit.open_findings([new, known, elsewhere]) == [
        "events/store/event_table.py:3 B602 a shell",
        "insight_site/access/keys.py:3 B311 a shell",
    ]


@pytest.mark.slow
def test_lock__without_a_network__says_so_and_fails_nothing() -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")

    ran = subprocess.run(
        [sys.executable, "-m", "tools.audit", "lock"],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout.strip()) == (
        0,
        "audit: the advisory service can't be reached; nothing was checked",
    ), ran.stderr


@pytest.mark.parametrize(
    ("known", "unknown", "weak", "code", "words"),
    [
        (0, 115, 0, 0, "nothing was checked; the advisory service knows none of 115 packages"),
        (112, 3, 0, 0, "112 packages looked up, 0 known weaknesses; 3 could not be looked up"),
        (111, 4, 0, 1, "111 packages looked up, 0 known weaknesses; 4 could not be looked up"),
        (3, 0, 1, 1, "p0 1.0: CVE-1, mended in 1.1\naudit: 3 packages looked up, 1 known weaknesses"),
    ],
)
def test_lock__by_what_could_be_looked_up__says_how_much_was_checked(
    known: int, unknown: int, weak: int, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mirror without advisories skips every package, and pip-audit then says that there are no known weaknesses."""
    rows: list[dict[str, object]] = [{"name": f"q{n}", "skip_reason": "not found"} for n in range(unknown)]
    cve = {"id": "CVE-1", "fix_versions": ["1.1"]}
    rows += [{"name": f"p{n}", "version": "1.0", "vulns": [cve] if n < weak else []} for n in range(known)]
    said = subprocess.CompletedProcess([], int(weak > 0), json.dumps({"dependencies": rows, "fixes": []}), "")

    with patch("tools.audit.subprocess.run", return_value=said):
        assert audit.audit_lock() == code
    assert words in capsys.readouterr().out


IS_VALID = """
import sys
from pathlib import Path
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(sys.argv[1]).read_text()))
"""


@pytest.mark.slow
def test_bill_of_materials__of_the_lock__is_valid_and_names_every_package(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    subprocess.run(["make", "-o", "setup", "sbom", f"SBOM={target}"], cwd=ROOT, check=True, capture_output=True)
    command = [".venv-sbom/bin/python", "-c", IS_VALID, str(target)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert said == "None\n"
    named = {row["name"].lower() for row in json.loads(target.read_text())["components"]}
    locked = {
        line.split("==")[0].split("[")[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert len(locked) > 50
    assert locked <= named


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_lock__of_what_tests_import__has_no_package_that_builds_grammars_when_it_is_loaded(lock: str) -> None:
    """With it each process that draws a chart starts two seconds of a core later, since jsonschema imports it."""
    assert "\nrfc3987-syntax==" not in (ROOT / lock).read_text()
    assert "\njsonschema==" in (ROOT / lock).read_text()
