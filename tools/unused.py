"""List definitions that only tests or benchmarks use: `python -m tools.unused`.

The search begins with code that runs when the site, a command or a task is loaded, and follows functions, classes and
constants through imports. A method counts as reached if its class is and any reached code reads `.method`. Names that
are only built as strings at run time are listed wrongly: put them in `KEPT`.
"""

import ast
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORD = re.compile(r"[A-Za-z_]\w*")
DOTTED = re.compile(r"\w+(\.\w+)+")

# Everything in these files is used: Django or a server loads them by name, or other packages install them.
# The file of stats is the pure half of what comes next, the lab; its doors are not built yet.
ENTRIES = re.compile(
    r"^stats/instrument/lab\.py$|"
    r"^[\w.]+$|^(tools|insight_client)/|/migrations/|(settings|admin_look|urls|wsgi|asgi|apps)\.py$"
)
# Files in which a plain string may name code: a field of an admin page, a method of a serializer, a view, a task.
NAMING = re.compile(r"(^|/)(admin\w*|api|forms|tasks)(\.py$|/)")
# Decorators that register a function, which a framework then calls.
REGISTERING = {"register", "simple_tag", "inclusion_tag", "filter", "receiver", "action", "mapping", "verb"}
# Methods that Django, DRF, Unfold and the standard library call on subclasses.
HOOKS = re.compile(
    r"__\w+__|clean|clean_\w+|get_\w+|has_\w*permission|save|save_\w+|to_representation|to_internal_value|ready|handle|"
    r"add_arguments|list|retrieve|create|update|partial_update|destroy|dispatch|perform_\w+|process_\w+|authenticate|"
    r"authenticate_header|validate|validate_\w+|response_\w+|(?:add|change\w*|history\w*)_view|lookups|queryset|"
    r"render|_render|to_python|run_validators|format_value|value_\w+|id_for_label|emit|form_valid|formfield_for_\w+|bound_data|_post_clean|readable|readinto|writable"
)
# The same for classes without a base class, such as Django middleware.
PLAIN_HOOKS = re.compile(r"__\w+|process_\w+")

# Definitions that stay although nothing reaches them: "file name without .py:definition", and why.
KEPT = {
    "thing_verbs:ThingActions.filter_queryset": "REST framework calls it for each list",
    "thing_verbs:OwnedFilter.by_owner": "a filter names it",
    "personal_data:without_units": "what apps say of columns without users, walked by the test",
    "serializers:PlanSerializer.build_standard_field": "REST framework makes fields by it",
    "serializers:PlanSerializer.include_extra_kwargs": "REST framework makes fields by it",
    "adjustment:cuped": "the peers' adjustment in docs/peers.md and docs/calibration.md; plans register Lin's",
    "patient_uvicorn:PatientProtocol.connection_made": "asyncio calls it",
    "patient_uvicorn:PatientProtocol.connection_lost": "asyncio calls it",
    "worker:StayingWorker": "a command line of 0.4 names it",
    "static_html:_Reader.handle_starttag": "html.parser calls it",
    "static_html:_Reader.handle_endtag": "html.parser calls it",
    "webhook_messages:_Wire.sendall": "http.client calls it on what it takes for a socket",
    "webhook_messages:_Wire.makefile": "http.client calls it on what it takes for a socket",
    "endpoints:KeyScheme": "drf-spectacular finds it by its base class",
    **dict.fromkeys(
        (
            *(
                "adapters:SAID",
                "adapters:Accounts.is_open_for_signup",
                "adapters:Accounts.is_reauthentication_required",
            ),
            *("adapters:Accounts.post_login", "adapters:Accounts.add_message", "adapters:_box"),
            *("adapters:_accounts_with", "adapters:_refuse", "adapters:Providers.list_apps"),
            *("adapters:Providers.pre_social_login", "adapters:Providers.is_open_for_signup"),
            *("adapters:Providers.on_authentication_error", "adapters:Providers._join"),
            *("adapters:Providers._check_new", "adapters:SecondFactor.encrypt"),
            *("adapters:SecondFactor.decrypt", "people:SiteUserAdmin.user_change_password"),
        ),
        "allauth calls it, or Django's admin of accounts",
    ),
    "formats:TIME_FORMAT": "Django reads it by its name, as the other formats",
    "formats:MONTH_DAY_FORMAT": "Django reads it by its name, as the other formats",
    "formats:YEAR_MONTH_FORMAT": "Django reads it by its name, as the other formats",
    "unfold_words:WORDS": "tools.messages reads the words in the file",
}


@dataclass
class Definition:
    """A function, class, method or constant: "module:name" or "module:Class.name", and what its code reads."""

    where: str
    name: str
    reads: set[str]
    starts: bool = False
    methods: "list[Definition]" = field(default_factory=list)

    @property
    def short(self) -> str:
        """The name in `KEPT`: the module without its packages, so that moving it changes nothing."""
        return re.sub(r"^[\w.]*\.(?=\w+:)", "", self.name)

    def answers_to(self) -> set[str]:
        """The forms in which code may refer to it: itself, its bare name in a string, or ".name" for a method."""
        bare = re.split(r"[:.]", self.name)[-1]
        is_method = "." in self.name.partition(":")[2]
        return {self.name, f"?{bare}", *([f".{bare}"] if is_method else [])}


class Module:
    """One parsed file: its definitions, the names that it imports, and what its other statements read."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path.relative_to(root).as_posix()
        self.name = self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.strings = bool(NAMING.search(self.path))
        self.definitions: list[Definition] = []
        self.loose: set[str] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        self.imports = _imported([node for node in tree.body if not isinstance(node, functions)])
        if ENTRIES.search(self.path):
            self.strings = not self.path.startswith(("tools/", "insight_client/"))
            self.loose = self.reads(tree)
        else:
            self._take_apart(tree)

    def reads(self, node: ast.AST) -> set[str]:
        """Names read by `node`: "module:name" by import or dotted string, ".name" for attributes, "?name" for words."""
        found: set[str] = set()
        imports = self.imports | _imported([node])
        for part in ast.walk(node):
            match part:
                case ast.Name(id=name, ctx=ast.Load()):
                    found.add(imports.get(name, f"{self.name}:{name}"))
                case ast.Attribute(value=ast.Name(id=base), attr=name):
                    found |= {f".{name}", f"{imports.get(base, base).replace(':', '.')}:{name}"}
                case ast.Attribute(attr=name):
                    found.add(f".{name}")
                case ast.Constant(value=str(text)) if DOTTED.fullmatch(text):
                    found.add(":".join(text.rsplit(".", 1)))
                case ast.Constant(value=str(text)) if self.strings:
                    found |= {f"?{word}" for word in WORD.findall(text)}
        return found

    def _take_apart(self, tree: ast.Module) -> None:
        for node in tree.body:
            match node:
                case ast.ClassDef():
                    self.definitions.append(self._class(node))
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    self.definitions.append(self._definition(node, name, starts=_is_registered(node)))
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                    | ast.TypeAlias(name=ast.Name(id=name))
                ):
                    self.definitions.append(self._definition(node, name, starts=name.startswith("__")))
                case _:
                    self.loose |= self.reads(node)

    def _class(self, node: ast.ClassDef) -> Definition:
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
        rest = [part for part in ast.iter_child_nodes(node) if part not in methods]
        found = self._definition(node, node.name, starts=_is_registered(node) or "/management/commands/" in self.path)
        found.reads = {name for part in rest for name in self.reads(part)}
        for part in methods:
            hooks = HOOKS if node.bases or self.strings else PLAIN_HOOKS
            hook = bool(hooks.fullmatch(part.name))
            name = f"{node.name}.{part.name}"
            found.methods.append(self._definition(part, name, starts=hook or _is_registered(part)))
        return found

    def _definition(self, node: ast.stmt, name: str, *, starts: bool) -> Definition:
        return Definition(f"{self.path}:{node.lineno}", f"{self.name}:{name}", self.reads(node), starts)


def unused(root: Path, *, kept: Collection[str] = KEPT.keys()) -> list[Definition]:
    """Definitions under `root` that only tests and benchmarks reach; those in `kept` count as reached."""
    modules = {module.name: module for module in (Module(path, root) for path in sources(root))}
    reached = {read for module in modules.values() for read in module.loose}
    for path in (root / "templates").rglob("*.html"):
        for tag in re.findall(r"{[{%](.*?)[%}]}", path.read_text(encoding="utf-8"), re.DOTALL):
            reached |= {f"?{word}" for word in WORD.findall(tag)}
    waiting = [one for module in modules.values() for one in module.definitions]
    while True:
        reached |= {target for read in reached for target in _passed_on(read, modules)}
        now = [one for one in waiting if one.starts or one.short in kept or one.answers_to() & reached]
        if not now:
            return waiting
        waiting = [one for one in waiting if one not in now]
        for one in now:
            reached |= one.reads - one.answers_to()
            waiting += one.methods


def sources(root: Path) -> Iterator[Path]:
    """The Python files that may use a definition: the scripts, and all packages but tests and benchmarks."""
    yield from sorted(root.glob("*.py"))
    for package in sorted(path.parent for path in root.glob("*/__init__.py")):
        if package.name not in ("tests", "benchmarks"):
            yield from sorted(package.rglob("*.py"))


def _imported(nodes: Sequence[ast.stmt | ast.AST]) -> dict[str, str]:
    """What each imported name refers to, as "module:name", whether imported directly or by `runs.web.views_of`."""
    later = dict(pair for node in nodes for part in ast.walk(node) for pair in _views_of(part))
    return later | {
        alias.asname or alias.name: f"{part.module}:{alias.name}"
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.ImportFrom) and part.module and not part.level
        for alias in part.names
    }


def _views_of(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="views_of"), args=[ast.Constant(value=str(module))]),
        ):
            yield name, ":".join(module.rsplit(".", 1))


def _passed_on(read: str, modules: dict[str, Module]) -> Iterator[str]:
    """The origins of a name that a module imports in order to re-export it."""
    seen = set[str]()  # a package that imports its own module names itself
    while read not in seen:
        seen.add(read)
        module, _, name = read.partition(":")
        if module not in modules or name not in modules[module].imports:
            return
        read = modules[module].imports[name]
        yield read


def _is_registered(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    words = {word for decorator in node.decorator_list for word in WORD.findall(ast.unparse(decorator))}
    return bool(words & REGISTERING)


if __name__ == "__main__":
    left = unused(ROOT)
    sys.stdout.writelines(f"{one.where}: {one.name.partition(':')[2]}\n" for one in left)
    sys.exit(bool(left))
