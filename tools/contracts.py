"""Import-linter contracts of our own: `PureFolders`, where few services stand beside pure modules, and `Faces`.

import-linter's own `forbidden` contract needs whole folders or a list of every module. `PureFolders` lists folders and
the services in them: all other modules there, present and future, may not import the forbidden modules, not even
indirectly. `Faces` lets other folders import what a folder's `__all__` names, and nothing else of it.
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

DOTTED = re.compile(r"\w+(\.\w+)+")


class PureFolders(Contract):
    """Modules of some folders import none of the forbidden modules, except the listed services of these folders.

    Options (pyproject.toml):
        folders: packages whose modules are pure, sub-packages included.
        services: modules or sub-packages in them that load, store or ask; each must exist.
        forbidden_modules: what pure modules may not reach, directly or through others.
    """

    type_name = "pure_folders"

    folders = fields.ListField(subfield=fields.StringField())
    services = fields.ListField(subfield=fields.StringField())
    forbidden_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the shortest import chain from each pure module to each forbidden one."""
        folders, services = _names(self.folders), _names(self.services)
        missing = [name for name in (*folders, *services) if name not in graph.modules]
        forbidden = [name for name in _names(self.forbidden_modules) if name in graph.modules]
        pure = [name for name in sorted(graph.modules) if _under(name, folders) and not _under(name, services)]
        chains = [
            chain
            for name in pure
            for bad in forbidden
            if (chain := graph.find_shortest_chain(importer=name, imported=bad)) is not None
        ]
        output.verbose_print(verbose, f"{len(pure)} pure modules")
        return ContractCheck(kept=not chains and not missing, metadata={"chains": chains, "missing": missing})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the names that don't exist, and each chain."""
        for name in check.metadata["missing"]:
            output.print_error(f"there is no module {name}")
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))


class Faces(Contract):
    """Only what `__all__` of a folder's `__init__.py` names is imported from outside of the folder.

    Names in `__all__` are modules and sub-folders, which Python doesn't import for standing there, or what
    `__init__.py` itself defines or imports. All other modules are private: files of the folder and of its sub-folders
    import them. A dotted string in the code that begins with a module's name counts as an import of it. A module that
    `__all__` names without need breaks the contract too.

    Options (pyproject.toml):
        roots: packages whose folders have faces.
        entry_points: patterns of the names of modules that Django loads by name; strings may name these everywhere.
    """

    type_name = "faces"

    roots = fields.ListField(subfield=fields.StringField())
    entry_points = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at each import and dotted string of the roots, at every folder that it enters."""
        roots, entries = _names(self.roots), _names(self.entry_points)
        modules = {name for name in graph.modules if _under(name, roots)}
        folders = {name.rpartition(".")[0] for name in modules} & modules
        faces = {folder: _face(folder) for folder in folders}
        entered: set[tuple[str, str]] = set()
        errors = []
        for importer in sorted(modules):
            imported = graph.find_modules_directly_imported_by(importer)
            strings = {name for name in _named_by_strings(importer, modules) if not _matches(name, entries)}
            for target in sorted(imported | strings):
                for folder, name in _entered(importer, target, folders):
                    entered.add((folder, name))
                    if name not in faces[folder][0]:
                        errors.append(f"{importer} -> {target}: {folder}.__all__ doesn't name {name}")
        errors += [
            f"{folder}.__all__ names {name}, which no other folder imports"
            for folder, (named, defined) in sorted(faces.items())
            for name in named
            if name not in defined and (folder, name) not in entered
        ]
        output.verbose_print(verbose, f"{len(folders)} folders")
        return ContractCheck(kept=not errors, metadata={"errors": errors})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import past a face."""
        for error in check.metadata["errors"]:
            output.print_error(error)


def _source(module: str) -> ast.Module:
    """The parsed file of a module; import-linter runs at the root of the repository."""
    path = Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _face(folder: str) -> tuple[list[str], set[str]]:
    """What `__all__` of a folder names, and what its `__init__.py` defines or imports."""
    named: list[str] = []
    defined = set()
    for statement in _source(folder).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                named = ast.literal_eval(value)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.ImportFrom(names=names):
                defined.update(alias.asname or alias.name for alias in names)
    return named, defined


def _named_by_strings(module: str, modules: set[str]) -> Iterator[str]:
    """The modules that dotted strings of a file name, as those of tasks and of views that are loaded later do."""
    for node in ast.walk(_source(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            parts = node.value.split(".")
            prefixes = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
            if target := next((name for name in prefixes if name in modules), None):
                yield target


def _matches(module: str, patterns: list[str]) -> bool:
    return any(fnmatch(module.rpartition(".")[2], pattern) for pattern in patterns)


def _entered(importer: str, target: str, folders: set[str]) -> Iterator[tuple[str, str]]:
    """The folders that an import enters from outside, each with the name that it takes there."""
    parts = target.split(".")
    for length in range(1, len(parts)):
        folder = ".".join(parts[:length])
        if folder in folders and not _under(importer, [folder]):
            yield folder, parts[length]


def _names(field: object) -> list[str]:
    assert isinstance(field, list)  # noqa: S101 - import-linter types a field by its class, and gives its value
    return [str(name) for name in field]


def _under(name: str, packages: list[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
