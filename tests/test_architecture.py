"""What no import tool sees: traps that a grep finds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("insight_site", "experiments", "aha", "segments", "events", "runs", "reporting", "stats")
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\b1(?:\.0)? - [\w.]*cdf\(", "1 - cdf is exactly 0 where sf is not"),
        (r"^class Test|^def test_", "names with test outside tests/ are collected once a test imports them"),
        (r"django\.core\.handlers", "Django's handlers are private: the next version may change them"),
        (r"https?://(?!localhost|127\.0\.0\.1)[\w.]*(?:pypi|npmjs|debian)", "no host of a package registry"),
    ],
)
def test_sources__trap__is_absent(pattern: str, why: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(pattern, line)
    ]
    assert found == [], why


def test_execute__only_in_the_warehouse() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"\.execute\(", path.read_text(encoding="utf-8"))
        and path.relative_to(ROOT).parts[0] != "insight_site"
        and path.name != "warehouse.py"
    ]
    # Cursors of services speak SQL to the project's own database; the import runs on the engine that the warehouse
    # lends it, because parsing and hashing a file is no question about events.
    allowed = (
        "events/outbox/",
        "events/importing/import_file.py",
        "events/importing/parquet_files.py",
        "events/importing/sources.py",
    )
    assert [path for path in found if not path.startswith(allowed)] == []


def test_files__at_most_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_start_of_the_site__no_heavy_library_is_loaded() -> None:
    heavy = (
        "statsmodels",
        "linearmodels",
        "pandas",
        "sklearn",
        "ibis",
        "duckdb",
        "altair",
        "vl_convert",
        "umap",
        "shap",
        "lightgbm",
        "numba",
        "openTSNE",
    )
    script = (
        "import django, sys; django.setup(); import insight_site.urls, insight_site.wsgi\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "insight_site.settings", "PATH": ""},
    )

    assert done.stdout.strip() == "[]"
