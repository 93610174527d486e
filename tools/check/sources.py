"""Checks that no linter has: forbidden patterns, long lines of templates, hidden imports, licences of locked packages.

No runtime dependency may require operators of Insight to publish their own code (copyleft).
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("insight_site", "launches", "experiments", "aha", "segments", "events", "runs", "reporting", "stats")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COPYLEFT = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
LONGEST_TEMPLATE_LINE = 200
LESSER = re.compile(r"\bLGPL|Lesser|Library", re.IGNORECASE)
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.MULTILINE)
TRAPS = (
    (re.compile(r"\b1(?:\.0)? - [\w.]*cdf\("), "1 - cdf is exactly 0 where sf is not"),
    (re.compile(r"^class Test|^def test_"), "a name with test outside tests/ is collected once a test imports it"),
    (re.compile(r"django\.core\.handlers"), "Django's handlers are private: the next version may change them"),
    (re.compile(r"https?://(?!localhost|127\.0\.0\.1)[\w.]*(?:pypi|npmjs|debian)"), "a host of a package registry"),
)
# Documents outside this repository: a reader who is sent there finds nothing.
OUTSIDE = re.compile(
    r"\bMETHODS(?:\.md|\s+(?:#\s+)?(?:§|section\s)?\d)|\b(?:DESIGN|STYLE)(?:\.md|,?\s+(?:§|section\b))"
    r"|\b(?:RULING[S]|INTERFACE[S])\b|\bSTACK(?:\.md|[:,;)])"
)
CITED = re.compile(r"\bdocs/methods/(\w+)\.md(?:, \\?\"([^\"\\]+))?")
TEXTS = (
    ".css",
    ".html",
    ".ipynb",
    ".js",
    ".json",
    ".md",
    ".mjs",
    ".po",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
)
# Service cursors run SQL on the project's own database; the import uses the engine that the warehouse lends
# it, because parsing and hashing a file is no query of events.
MAY_EXECUTE = (
    "insight_site/",
    "events/outbox/",
    *("events/store/result_tables.py", "events/warehouse/result_tables.py"),  # of results, which are no events
    "events/store/ownership.py",
    "events/people/identity.py",  # only one process at a time decides about ids
    "experiments/serve/store_assignment.py",  # a first call in one statement
    "experiments/models/serving.py",  # notifies processes that serve streams
    "events/importing/import_file.py",
    "events/importing/source_files.py",
    "events/importing/parquet_files.py",
    "events/importing/first_rows.py",
)
LOADED_LATER = (
    "aha/api.py",
    "aha/study/question.py",
    "events/metrics/sql_gate.py",
    "events/outbox/freshness.py",
    "events/outbox/flush.py",
    "events/store/ownership.py",
    "events/importing/uploads.py",
    "experiments/admin/experiment.py",
    "experiments/admin/tables.py",
    "experiments/api/analyses.py",
    "experiments/api/causes_map.py",
    "experiments/pages/causes_map.py",
    "experiments/api/experiments.py",
    "experiments/api/reviews.py",
    "experiments/api/holdout_reports.py",
    "experiments/api/rollouts.py",
    "experiments/api/serializers.py",
    "experiments/plan/derived.py",
    "experiments/status/consequences.py",
    "launches/api.py",
    "insight_site/admin/records.py",
    "insight_site/audiences/audience_services.py",
    "insight_site/boards/views.py",
    "insight_site/connect/newest_events.py",
    "insight_site/connect/first_day.py",
    "insight_site/exports/api.py",
    "events/api.py",
    "insight_site/pages/views.py",
    "insight_site/privacy/api.py",
    "insight_site/templatetags/rows.py",
    "segments/admin.py",
    "segments/api.py",
)


@cache
def our_files() -> tuple[Path, ...]:
    """Every Python file of the product, without migrations."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(sorted(path for path in files if "migrations" not in path.parts))


def traps() -> Iterator[str]:
    """Lines with a forbidden pattern."""
    for path in our_files():
        yield from (f"{_name(path)}: {why}: {line}" for line, why in traps_in(path.read_text("utf-8")))


def traps_in(text: str) -> Iterator[tuple[str, str]]:
    """The lines of a text with a forbidden pattern, and the reason."""
    for line in text.splitlines():
        yield from ((line.strip(), why) for pattern, why in TRAPS if pattern.search(line))


def long_lines() -> Iterator[str]:
    """Lines of templates that hold more than one thing: djhtml indents them, and breaks none."""
    for path in (ROOT / "templates").rglob("*.html"):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if len(line) > LONGEST_TEMPLATE_LINE:
                yield f"{_name(path)}:{number}: {len(line)} characters; one tag a line, broken where no space shows"


def executed() -> Iterator[str]:
    """Files outside the warehouse that run SQL."""
    for path in our_files():
        free = _name(path) == "events/warehouse/engine.py" or _name(path).startswith(MAY_EXECUTE)
        if not free and re.search(r"\.execute\(", path.read_text("utf-8")):
            yield f"{_name(path)}: only the warehouse runs a question about events"


def hidden_imports() -> Iterator[str]:
    """Imports of our own modules inside functions that don't make the start of a web worker faster."""
    for path in our_files():
        if path.name == "tasks.py" or "commands" in path.parts or _name(path) in LOADED_LATER:
            continue
        for module in imports_in_functions(_parsed(path), is_apps=path.name == "apps.py"):
            if module.split(".")[0] in PACKAGES:
                yield f"{_name(path)}: imports {module} inside a function"


def imports_in_functions(tree: ast.Module, *, is_apps: bool) -> Iterator[str]:
    """The modules that statements inside functions import; exempt is an app's `ready`."""
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    inside = {node for one in functions if not (is_apps and one.name == "ready") for node in ast.walk(one)}
    for node in inside:
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def later_imports() -> Iterator[str]:
    """Allowed late imports that hide a circular import or no longer exist."""
    whole = {_dotted(path): path for path in our_files()}
    imports = {name: set(_own_imports(_parsed(path), whole)) - {name} for name, path in whole.items()}
    for file in LOADED_LATER:
        own = _dotted(ROOT / file)
        if own not in whole:
            yield f"{file}: named in LOADED_LATER and not there"
            continue
        functions = [node for node in ast.walk(_parsed(ROOT / file)) if isinstance(node, FUNCTIONS)]
        later = {one for node in functions for one in _own_imports(node, whole)}
        if not later:
            yield f"{file}: imports nothing inside a function, so LOADED_LATER needn't name it"
        yield from (f"{file}: its import of {one} hides a circle" for one in later if own in _reached(one, imports))


def _reached(name: str, imports: dict[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += imports.get(one, ())
    return found


def _own_imports(tree: ast.AST, whole: dict[str, Path]) -> Iterator[str]:
    """Modules of this project that are imported anywhere in `tree`, also only for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from [one for one in (name if name in whole else node.module,) if one in whole]


def places_of_engine_tests() -> Iterator[str]:
    """Engine tests outside the two folders that `make test-engines` runs: they would never run."""
    (looked,) = re.findall(r"^ENGINES := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    needs = re.compile(r"mark\.engines|\b(?:any_store|bucket|s3_server|spark_address)\b: str")
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if needs.search(path.read_text("utf-8"))]
    places = {"/".join(path.relative_to(ROOT).parts[:2]) for path in tests}
    if sorted(places) != looked.split():
        yield f"Makefile: ENGINES is {looked}, and tests of engines lie in {' '.join(sorted(places))}"


def is_copyleft(licence: str) -> bool:
    """Whether a package's licence text names GPL or AGPL; LGPL doesn't count."""
    return bool(COPYLEFT.search(LESSER.sub("", licence))) and not LESSER.search(licence)


def licences() -> Iterator[str]:
    """Locked packages with a copyleft licence in their metadata, and those not installed, whose licence is unknown."""
    names = LOCKED.findall((ROOT / "requirements.txt").read_text("utf-8"))
    if len(names) < 50:
        yield f"requirements.txt: only {len(names)} locked packages were read"
    for name in names:
        try:
            found = distribution(name).metadata
        except PackageNotFoundError:
            yield f"requirements.txt: {name} isn't installed, so its licence isn't known"
            continue
        said = [found.get("License-Expression") or "", (found.get("License") or "").split("\n")[0]]
        said += [one for one in found.get_all("Classifier") or [] if one.startswith("License")]
        if is_copyleft(" | ".join(said)):
            yield f"requirements.txt: {name} has the licence {' | '.join(filter(None, said))}"


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _dotted(path: Path) -> str:
    return _name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def references() -> Iterator[str]:
    """Files that refer to a document outside the repository, or to a method page or section that doesn't exist."""
    sections = {page.stem: sections_of(page.read_text("utf-8")) for page in (ROOT / "docs" / "methods").glob("*.md")}
    for path in _texts():
        text = path.read_text("utf-8")
        yield from (f"{path.relative_to(ROOT)}: {one}" for one in (*outside(text), *uncited(text, sections)))


def outside(text: str) -> Iterator[str]:
    """Documents outside the repository that a text names."""
    yield from (f"“{found.group()}” isn't in the repository" for found in OUTSIDE.finditer(text))


def uncited(text: str, sections: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Missing pages of docs/methods/, and missing sections of them, that a text names."""
    if "docs/methods/" not in text:
        return
    joined = re.sub(r"\s*\n\s*(?:# )?", " ", text)  # a name may continue on the next line of a comment
    for page, section in CITED.findall(joined):
        if page not in sections:
            yield f"there is no docs/methods/{page}.md"
        elif not any(one.startswith(section) for one in sections[page]):
            yield f"docs/methods/{page}.md has no section “{section}”"


def sections_of(text: str) -> list[str]:
    """The headings of a page's sections, and "" for the page itself."""
    return ["", *re.findall(r"^## (.+)$", text, re.MULTILINE)]


def _texts() -> Iterator[Path]:
    """Every text file of the repository that people write."""
    folders = (*PACKAGES, "benchmarks", "deploy", "docs", "insight_client", "locale", "templates", "tests", "tools")
    for path in (*ROOT.iterdir(), *(path for folder in folders for path in (ROOT / folder).rglob("*"))):
        if path.suffix in TEXTS and "node_modules" not in path.parts and path.is_file():
            yield path


CHECKS = (references, traps, long_lines, executed, hidden_imports, later_imports, places_of_engine_tests, licences)
