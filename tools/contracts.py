"""An import-linter contract for folders where pure modules stand beside the few services that use them.

import-linter's own `forbidden` contract needs whole folders or a list of every module. This one lists folders and the
services in them: all other modules there, present and future, may not import the forbidden modules, not even
indirectly.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


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


def _names(field: object) -> list[str]:
    assert isinstance(field, list)  # noqa: S101 - import-linter types a field by its class, and gives its value
    return [str(name) for name in field]


def _under(name: str, packages: list[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
