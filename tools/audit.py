"""Security audit: bandit over the code, pip-audit over the lock file.

    python -m tools.audit [code] [lock]

Each accepted finding of bandit has its reason in `ACCEPTED`; any other fails. If the advisory service can't be reached,
or a mirror without advisories answers instead, this reports that nothing was checked, without failing: people without a
network would otherwise learn to skip it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CODE = ("events", "segments", "aha", "experiments", "runs", "reporting", "stats", "insight_site")
LOCK = "requirements.txt"
SECONDS = 120
# Packages of the lock that the service may not know; with more, a passing audit means too little.
MOST_SKIPPED = 3
# Bandit's test id, and the start of the file path: why it may stay. Ruff's S rules mark each line as well.
ACCEPTED = {
    ("B608", "events/"): "SQL for DuckDB of our own columns; every value from outside passes `literal` or is bound",
    ("B608", "experiments/serve/store_assignment.py"): "the name of a table of ours; values are bound",
    ("B608", "insight_site/operate/"): "names of tables and columns, each quoted; values are bound",
    ("B608", "segments/published/publish.py"): "names of a table and columns of ours; values are bound",
    ("B608", "insight_site/access/limits.py"): "the name of a table of ours; values are bound",
    ("B703", ""): "markup that our own templates and charts wrote, where they escaped every name",
    ("B308", ""): "alike",
    ("B105", "experiments/webhook_messages.py"): "the mark that secret scanners look for, no secret",
    ("B104", "insight_site/signin/"): "the word for no address where a column wants one; nobody listens there",
    ("B105", "insight_site/first_start.py"): "the name of a part of an address",
    ("B404", ""): "only our own interpreter is started, with a list of arguments and no shell",
    ("B603", ""): "alike",
    ("B310", "insight_site/demo/team.py"): "the address of the process that the demo has just started",
    ("B311", "insight_site/demo/team.py"): "a free port",
    ("B311", "insight_site/machine/open_streams.py"): "when clients come back: spread over time, no secret",
    ("B311", "insight_site/operate/request_lines.py"): "a request's id is no secret",
    ("B403", "runs/process"): "between a process and its own child, over a pipe that nobody else has",
    ("B301", "runs/process"): "alike",
    ("B101", "runs/processes.py"): "for the type checker: the pipes were asked for",
}
UNREACHABLE = ("ConnectionError", "ConnectionRefused", "Failed to establish", "Max retries", "ProxyError", "timed out")


def reason_for(number: str, file: str) -> str | None:
    """The reason for which this finding is accepted; None if it isn't."""
    return next((why for (one, begins), why in ACCEPTED.items() if one == number and file.startswith(begins)), None)


def open_findings(found: list[dict[str, Any]]) -> list[str]:
    """Bandit's findings that aren't accepted, one line each."""
    return [
        f"{row['filename'].removeprefix('./')}:{row['line_number']} {row['test_id']} {row['issue_text']}"
        for row in found
        if reason_for(row["test_id"], row["filename"].removeprefix("./")) is None
    ]


def audit_code() -> int:
    """Run bandit; 1 if it has findings that aren't in `ACCEPTED`."""
    ran = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-f", "json", "-r", *CODE, "manage.py", "gunicorn.conf.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(ran.stdout)
    rest = open_findings(told["results"]) + [str(one) for one in told["errors"]]
    print(
        "\n".join([*rest, f"audit: bandit has {len(told['results'])} findings, {len(rest)} of them without a reason"])
    )
    return int(bool(rest))


def judged(told: dict[str, Any]) -> tuple[list[str], int, int]:
    """Parse pip-audit's JSON: vulnerabilities, one line each; number of packages checked; number skipped.

    Args:
        told: output of `--format json`. Packages unknown to the service have a `skip_reason` and no `vulns`: pip-audit
            reports no known vulnerabilities even if it looked up none of the packages.
    """
    rows = told["dependencies"]
    looked_up = [row for row in rows if "skip_reason" not in row]
    weak = [
        f"{row['name']} {row['version']}: {one['id']}, mended in {', '.join(one.get('fix_versions', [])) or 'none yet'}"
        for row in looked_up
        for one in row["vulns"]
    ]
    return weak, len(looked_up), len(rows) - len(looked_up)


def audit_lock() -> int:
    """Run pip-audit; 1 if a package of the lock has a known vulnerability, or if too many could not be checked."""
    command = ["-m", "pip_audit", "-r", LOCK, "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    try:
        ran = subprocess.run(
            [sys.executable, *command, "--timeout", "10", "--format", "json"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print("audit: the advisory service did not answer; nothing was checked")
        return 0
    if ran.returncode and any(sign in ran.stderr for sign in UNREACHABLE):
        print("audit: the advisory service can't be reached; nothing was checked")
        return 0
    try:
        weak, looked_up, skipped = judged(json.loads(ran.stdout))
    except (ValueError, LookupError):
        print(ran.stdout + ran.stderr)
        return 1
    if not looked_up:
        print(f"audit: nothing was checked; the advisory service knows none of {skipped} packages")
        return 0
    left_out = f"; {skipped} could not be looked up" if skipped else ""
    print("\n".join([*weak, f"audit: {looked_up} packages looked up, {len(weak)} known weaknesses{left_out}"]))
    return int(bool(weak) or skipped > MOST_SKIPPED)


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["code", "lock"]
    sys.exit(max({"code": audit_code, "lock": audit_lock}[name]() for name in wanted))
