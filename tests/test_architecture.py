"""What no import tool sees: traps that a grep finds, and the size and names of files, classes and functions."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("insight_site", "experiments", "aha", "segments", "events", "runs", "reporting", "stats")
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
OTHERS = [path for folder in ("benchmarks", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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
        "events/identity/joins.py",  # one decides about ids at a time
        "experiments/serve/keeping.py",  # a first call in one statement
        "experiments/models/config_version.py",  # a notification to processes that hold streams
        "events/importing/import_file.py",
        "events/importing/scratch.py",
        "events/importing/parquet_files.py",
        "events/importing/first_rows.py",
        "events/importing/source_files.py",
    )
    assert [path for path in found if not path.startswith(allowed)] == []


def test_files__at_most_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


@pytest.mark.slow
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


# What a folder holds. Its `__init__.py` and the migrations don't count.
MOST_FILES = 20


def test_folders__at_most_20_python_files() -> None:
    folders = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in [*SOURCES, *OTHERS]
        if path.name != "__init__.py" and "fixtures" not in path.parts
    )

    full = {folder: files for folder, files in folders.items() if files > MOST_FILES}

    assert full == {}


# Names that Django and its relatives look for, and folders in which a file has the name of what it is about
# (`admin/layers.py`, `models/webhooks.py`) or of the command or tag library.
DJANGO_FILES = {"admin", "api", "api_urls", "apps", "formats", "forms", "models", "tasks", "urls", "views"}
DJANGO_FOLDERS = {"admin", "api", "commands", "management", "models", "templatetags", "views"}

# Names that several folders share, because they mean the same in each.
SHARED_NAMES = {
    "charts": "records in, charts out; `reporting.charts` is the kit that they share",
    "document": "a result as the JSON that leaves the house; `reporting.document` is how records become JSON",
    "gather": "everything that one analysis asks the warehouse, as arrays or moments",
    "headline": "what lists and heads of pages say of a result",
    "listing": "what people search and leaf through: rows of a list page, events of the store",
    "mends": "what is wrong in a form, with the changes that mend it as buttons; `events.pickers.mends` has the button",
    "page": "the parts of a page, in their order",
    "payload_versions": "stored payloads back to their records, older versions upgraded first",
    "pickers": "what people pick by search as they type; `events.pickers` is the kit that the apps share",
    "queries": "questions to the event log as Ibis expressions; nothing runs there",
    "questions": "forms that ask an analysis, and what they object to before it starts",
    "question": "what an analysis is asked: checked once, stored with the run",
    "report": "the folder of what people read",
    "result": "the record that an analysis returns and its run stores",
    "search": "the folder in which the best of many is looked for: of clusters, of designs of a test",
    "words": "sentences for codes and results; `reporting.words` is the way to a reader's language",
}


def test_modules__a_name__has_one_meaning() -> None:
    names = Counter(
        _space_and_name(path.parent if path.name == "__init__.py" else path.with_suffix(""))
        for path in SOURCES
        if not DJANGO_FOLDERS & set(path.relative_to(ROOT).parts[:-1])
    )

    repeated = {name: count for (_, name), count in names.items() if count > 1 and name not in DJANGO_FILES}

    assert {name: count for name, count in repeated.items() if name not in SHARED_NAMES} == {}
    assert set(SHARED_NAMES) - {name for _, name in names} == set(), "a shared name that nobody uses any more"


def _space_and_name(module: Path) -> tuple[str, str]:
    """A part of a page has the name of what it shows: it may repeat a module's, but no other part's of its app."""
    app, *folders = module.relative_to(ROOT).parts
    return (f"{app}/report" if "report" in folders[:-1] else "", module.name)


@pytest.mark.slow
def test_classes__a_name__occurs_once_in_an_app() -> None:
    names = Counter(
        (path.relative_to(ROOT).parts[0], node.name)
        for path in SOURCES
        for node in _parsed(path).body
        if isinstance(node, ast.ClassDef) and node.name != "Command"
    )

    assert {name for name, count in names.items() if count > 1} == set()


MOST_LINES = 60


@pytest.mark.slow
def test_functions__at_most_60_lines() -> None:
    long = [
        (f"{path.relative_to(ROOT).parts[0]}: {node.name}", lines)
        for path in [*SOURCES, *OTHERS]
        if path.relative_to(ROOT).parts[0] != "tests"
        for node in ast.walk(_parsed(path))
        if isinstance(node, FUNCTIONS) and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES
    ]

    assert long == []


# What a web worker loads with the first call that needs it, and not when it starts: `test_start` says what that saves.
LOADED_LATER = (
    "aha/api.py",
    "aha/findings_api.py",
    "aha/study/question.py",
    "events/inflow/live_tail.py",
    "events/outbox/flush.py",
    "events/outbox/ownership.py",
    "events/uploads/imports.py",
    "experiments/admin/experiment.py",
    "experiments/api/analyses.py",
    "experiments/api/experiments.py",
    "experiments/api/plan_templates.py",
    "experiments/api/reviews.py",
    "experiments/api/holdout_reports.py",
    "experiments/api/rollouts.py",
    "experiments/standing/consequences.py",
    "insight_site/admin/erasures.py",
    "insight_site/audiences/who_is_meant.py",
    "insight_site/connect/newest_events.py",
    "insight_site/connect/sample.py",
    "insight_site/environments/api.py",
    "events/metric_catalogue/api.py",
    "insight_site/pages/views.py",
    "insight_site/privacy/api.py",
    "insight_site/signatures/api.py",
    "segments/admin.py",
    "segments/api.py",
)


@pytest.mark.slow
def test_imports__of_our_own_modules__stand_on_top() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in SOURCES
        if path.name != "tasks.py" and "commands" not in path.parts and str(path.relative_to(ROOT)) not in LOADED_LATER
        for module in _imports_in_functions(_parsed(path), is_apps=path.name == "apps.py")
        if module.split(".")[0] in PACKAGES
    ]

    assert hidden == []


@pytest.mark.slow
def test_imports__in_functions__hide_no_circle_and_are_needed() -> None:
    whole = {_dotted(path): path for path in SOURCES}
    imports = {name: {one for one in _own_imports(_parsed(path), whole) if one != name} for name, path in whole.items()}

    def reached(name: str) -> set[str]:
        found, waiting = set[str](), [name]
        while waiting:
            if (one := waiting.pop()) not in found:
                found.add(one)
                waiting += imports.get(one, ())
        return found

    for file in LOADED_LATER:
        functions = [node for node in ast.walk(_parsed(ROOT / file)) if isinstance(node, FUNCTIONS)]
        later = {one for node in functions for one in _own_imports(node, whole)}
        assert later, f"{file} imports nothing in a function"
        assert [one for one in later if _dotted(ROOT / file) in reached(one)] == []


def _dotted(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _own_imports(tree: ast.AST, whole: Mapping[str, Path]) -> Iterator[str]:
    """The modules of this project that are imported anywhere in `tree`; for types alone too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [one for one in (name if name in whole else node.module,) if one in whole]


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports_in_functions(tree: ast.Module, *, is_apps: bool) -> Iterator[str]:
    """The modules that statements inside functions import; `ready` of an app may."""
    seen: set[ast.AST] = set()
    for function in ast.walk(tree):
        if not isinstance(function, FUNCTIONS) or (is_apps and function.name == "ready"):
            continue
        for node in ast.walk(function):
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, ast.ImportFrom):
                yield node.module or ""
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_engines__tests_with_that_mark__lie_where_make_looks() -> None:
    (looked,) = re.findall(r"^ENGINES := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    needs = re.compile(r"mark\.engines|\b(?:any_store|bucket|s3_server|spark_address)\b: str")

    found = {
        "/".join(path.relative_to(ROOT).parts[:2])
        for path in (ROOT / "tests").rglob("test_*.py")
        if needs.search(path.read_text(encoding="utf-8"))
    }

    assert sorted(found) == looked.split()
