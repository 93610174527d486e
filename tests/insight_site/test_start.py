"""What a web worker loads: as little as it needs for the doors and the first pages; the rest with who asks for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from runs.web import loaded, views_of
from tests.clients.server import migrated_file

ROOT = Path(__file__).resolve().parents[2]
# Each takes 5 to 70 MiB of every worker, or a second of every start.
HEAVY = (
    "altair",
    "deltalake",
    "duckdb",
    "ibis",
    "lightgbm",
    "fido2",
    "linearmodels",
    "lxml",
    "mcp",
    "numba",
    "numpy",
    "onelogin",
    "openTSNE",
    "pandas",
    "pyarrow",
    "scipy",
    "shap",
    "sklearn",
    "sqlglot",
    "statsmodels",
    "umap",
    "vl_convert",
    "xmlsec",
)
# The doors, as far as they get without a key, the first page, and the page to sign in.
FIRST = """
import sys
from django.test import Client
from insight_site.wsgi import application
import insight_site.urls
from events.outbox.pressure import pressure
from experiments.serve import assign, config

def answer(method, path):
    said = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http", "HTTP_HOST": "localhost", "CONTENT_LENGTH": "0"}
    b"".join(application(environ, lambda status, headers: said.append(status)))
    return said[0][:3]

print(answer("GET", "/healthz"), answer("GET", "/"), answer("GET", "/login/"), answer("GET", "/admin/login/"))
print(answer("POST", "/ofrep/v1/evaluate/flags/x"), answer("GET", "/api/features/x"), answer("POST", "/v1/track"))
print(pressure(), config.current().flags)
"""


def python(code: str, folder: Path) -> list[str]:
    """What a new process prints that runs `code` on a database of its own, which has its tables."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "DATABASE_URL": f"sqlite:///{folder / 'own.sqlite3'}",
        "EVENTS_URL": str(folder / "events"),
        "SECRET_KEY": "only-for-this-test",
        "LOG_LEVEL": "CRITICAL",
        "PATH": os.environ["PATH"],
    }
    shutil.copyfile(migrated_file(), folder / "own.sqlite3")
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    ).stdout.splitlines()


@pytest.mark.slow
def test_web_worker__first_pages_and_doors__load_no_heavy_library(tmp_path: Path) -> None:
    code = f"{FIRST}\nprint([name for name in {HEAVY!r} if name in sys.modules])"

    pages, doors, config, heavy = python(code, tmp_path)

    assert (pages, doors) == ("200 200 200 302", "401 401 400")
    assert config == "None {}"
    assert heavy == "[]"


def views(level: URLResolver) -> Iterator[URLPattern]:
    """The routes below this one."""
    for one in level.url_patterns:
        if isinstance(one, URLPattern):
            yield one
        else:
            yield from views(one)


def test_routes__each_view_that_is_loaded_later__is_there() -> None:
    later = [one.callback for one in views(get_resolver()) if one.callback.__qualname__ == one.callback.__name__]
    named = [view for view in later if getattr(view, "__code__", None) is views_of("x").y.__code__]

    assert len(named) > 60
    assert all(callable(loaded(view)) for view in named)


def test_loaded__name_that_is_not_there__is_an_error() -> None:
    with pytest.raises(AttributeError, match="no_such_view"):
        loaded(views_of("aha.views").no_such_view)
    with pytest.raises(ImportError, match="no_such_module"):
        loaded(views_of("aha.no_such_module").view)
