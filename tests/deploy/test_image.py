"""The reader of Dockerfiles, and what ours must hold to; and the files of systemd and of the proxies, as texts."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.image import Instruction, Machine, NotUnderstoodError, build, ignored, parse

ROOT = Path(__file__).resolve().parents[2]
OURS = parse((ROOT / "deploy/Dockerfile").read_text())
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
LOGGED = re.compile(r"map \$uri \$insight_path \{(.*?)\}", re.DOTALL)
NGINX = (ROOT / "deploy/nginx/insight.conf").read_text()
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


def texts(name: str) -> list[str]:
    return [one.text for one in OURS if one.name == name]


def test_parse__lines_comments_and_flags__become_instructions() -> None:
    found = parse('# x\nFROM a AS b\nRUN --mount=type=cache,target=/c \\\n  # in between\n  d e\nCMD ["f", "g h"]\n')

    assert found == [
        Instruction("FROM", "a AS b"),
        Instruction("RUN", "d e", {"mount": "type=cache,target=/c"}),
        Instruction("CMD", '["f", "g h"]'),
    ]
    assert found[2].words == ["f", "g h"]


OTHER = ("ADD a b", "from a", 'SHELL ["x"]', "RUN --network=none x", "COPY --chown=1 a b", "RUN <<EOF", "ONBUILD RUN x")


@pytest.mark.parametrize("line", OTHER)
def test_parse__what_it_does_not_know__is_an_error(line: str) -> None:
    with pytest.raises(NotUnderstoodError):
        parse(f"FROM a\n{line}\n")


@pytest.mark.parametrize("text", ["FROM other", "RUN x", "FROM a\nENV b=$nowhere", "FROM a\nHEALTHCHECK NONE", ""])
def test_build__what_it_can_not_do__is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises((NotUnderstoodError, ValueError)):
        build(text, base={"a": tmp_path}, context=tmp_path, place=tmp_path / "layers", machine=Machine())


LEFT_OUT = (
    *(".env", "deploy/.env", "var/secret_key", "tests/make.py", "Makefile", "deploy/Dockerfile", ".git/config"),
    *("insight_site/__pycache__/a.pyc", "locale/ko/LC_MESSAGES/django.mo", "docs/screenshots/study.en.png"),
    *("insight_site/.env", "docs/.env"),
)
TAKEN = ("manage.py", "insight_site/settings.py", "docs/map.md", "deploy/uv.txt", "templates/base.html")


@pytest.mark.parametrize(("path", "out"), [*[(name, True) for name in LEFT_OUT], *[(name, False) for name in TAKEN]])
def test_context__what_enters_the_image__is_named(path: str, out: bool) -> None:
    assert ignored(path, IGNORED) is out


def test_every_app__enters_the_image() -> None:
    apps = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "tools", "benchmarks"}
    apps.remove("insight_client")  # of analysts, on their own machines

    assert [app for app in apps if ignored(f"{app}/__init__.py", IGNORED)] == []


def test_image__runs_as_a_user_of_a_fixed_number_and_has_a_health_check() -> None:
    last = len(OURS) - 1 - [one.name for one in OURS][::-1].index("FROM")
    final = OURS[last:]

    assert [one.text for one in final if one.name == "USER"] == ["10001:10001"]
    assert [one.name for one in final[-6:]] == ["USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"]
    assert final[-1].words[:2] == ["gunicorn", "insight_site.wsgi"]
    assert len(texts("FROM")) == 3


def test_packages__come_from_locks_with_hashes_alone() -> None:
    installs = [line for line in texts("RUN") if re.search(r"\bpip install", line)]

    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    assert (ROOT / "deploy/uv.txt").read_text().count("--hash=sha256:") > 10
    assert not any(re.search(r"\b(curl|wget|git clone)\b|https?://", line) for line in texts("RUN"))


def test_apt__takes_nothing_that_is_only_recommended_and_leaves_no_lists() -> None:
    for line in texts("RUN"):
        if "apt-get install" in line:
            assert "--no-install-recommends" in line
            assert "rm -rf /var/lib/apt/lists/*" in line


def test_secrets__are_no_part_of_a_step() -> None:
    said = re.findall(r"(?i)[\w-]*(?:key|secret|password|token)[\w-]*=(\S+)", (ROOT / "deploy/Dockerfile").read_text())

    assert said == ["only-while-the-image-is-built"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit__ends_with_all_that_it_started_and_in_time(unit: Path) -> None:
    text = unit.read_text()

    assert "KillMode=mixed" in text or "Type=oneshot" in text
    if "KillMode" in text:
        assert int(re.findall(r"TimeoutStopSec=(\d+)", text)[0]) >= 40
    if "KillMode" in text:
        assert "Requires=insight-migrate@%i.service" in text
        assert re.findall(r"/opt/insight\S*?(?=/|$)", text, re.MULTILINE) == ["/opt/insight-%i"] * 2


def test_units__hand_secrets_over_as_files() -> None:
    text = (ROOT / "deploy/systemd/hardening.conf").read_text()

    assert "SECRET_KEY_FILE=%d/secret_key DATABASE_URL_FILE=%d/database_url" in text
    assert not re.search(r"^(Environment=)?(SECRET_KEY|DATABASE_URL)=", text, re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    ["/shared/abc/", "/api/features/pk_abc", "/api/eval/pk_abc", "/password/MQ/token/", "/login/link/WzFd:1x:sig/"],
)
def test_nginx__logs_no_token(path: str) -> None:
    found = LOGGED.search(NGINX)
    assert found
    pattern = re.search(r"~(\^\S+) \$1\.\.\.;", found[1])
    assert pattern

    assert re.match(pattern[1], path)
    assert "$request_uri" not in "".join(re.findall(r"log_format[^;]*;", NGINX))
    assert "$args" not in NGINX


def test_nginx__without_containers__listens_where_browsers_ask_and_logs_into_a_file(tmp_path: Path) -> None:
    """Under systemd /dev/stdout is a socket, which nginx can't open: it wouldn't start."""
    command = re.search(r"^ *(sed -e .*insight\.conf)$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE)
    assert command
    theirs = "/etc/nginx/conf.d/insight.conf"
    assert theirs in command[1]

    subprocess.run(["sh", "-ec", command[1].replace(theirs, str(tmp_path / "made"))], cwd=ROOT, check=True)
    made = (tmp_path / "made").read_text()

    assert re.findall(r"listen (.*);", made) == ["80", "443 ssl"]
    assert set(re.findall(r"access_log (\S+)", made)) == {"/var/log/nginx/insight.log"}


def test_proxies__write_the_visitors_address_over_what_the_visitor_sent() -> None:
    caddy = (ROOT / "deploy/caddy/Caddyfile").read_text()

    said = re.findall(r"X-Forwarded-For (\S+?);?$", NGINX + caddy, re.MULTILINE)

    assert set(said) == {"$remote_addr", "{remote_host}"}
    assert len(said) == 1 + caddy.count("reverse_proxy ")  # nginx says it once for all its places
    assert "proxy_add_x_forwarded_for" not in NGINX
