"""The package stands alone: it knows nothing of the site's code, and needs what its own metadata names."""

import ast
import sys
import tomllib
from pathlib import Path

from tests.clients.server import ROOT

FOLDER = ROOT / "insight_client"
METADATA = tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"insight_client"}


def test_imports__of_each_module__are_in_the_metadata() -> None:
    needed = {name.split(">")[0] for name in METADATA["project"]["dependencies"]}
    drawn = {name.split(">")[0] for name in METADATA["project"]["optional-dependencies"]["charts"]}

    found = {path.stem: _imports(path) for path in FOLDER.glob("*.py")}

    assert set().union(*(names for stem, names in found.items() if stem != "charts")) == needed
    assert found["charts"] == drawn | {"pandas"}


def test_metadata__names_the_package_and_its_types() -> None:
    assert METADATA["tool"]["setuptools"]["packages"] == ["insight_client"]
    assert METADATA["tool"]["setuptools"]["package-data"] == {"insight_client": ["py.typed"]}
    assert (FOLDER / "py.typed").exists()
