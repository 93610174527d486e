"""Break the rules, one small change at a time, and see which test fails: `python -m tools.mutants [--again] [PART …]`.

A mutant is a file with one change in a function or a table: `<` for `<=`, `or` for `and`, a number a little larger, a
`raise` or a row left out. `tests/mutants.json` says how many of a file's mutants a seed picks and which tests run on
them (slow ones where it says "slow", and no proofs). It keeps which test failed first ("time": it did not end) and
what "survived", with a note where nothing can notice the change. `--again` runs the mutants that died and fails if
one lives: for use after tests were removed. Without it files are measured anew. PART, a part of a file's name, picks
files.

A mutant is named by function, kind of change and number, which outlives changes of layout. Mutmut leaves tables alone,
where many rules are; cosmic-ray starts Django for each mutant. Here the tests are collected once, then forks run them.
"""

import ast
import hashlib
import importlib
import inspect
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "tests/mutants.json"
MEMORY = Path("/dev/shm")  # noqa: S108 - disks are slow to make databases on
SEED = 31
SECONDS = 60  # of a core, for the tests of one mutant
UNREACHED = 77  # exit code: the change could not be put into the running process
PAIRS = "Lt LtE, Gt GtE, Eq NotEq, In NotIn, Is IsNot, And Or, Add Sub, Mult Div, BitAnd BitOr, Break Continue"
OTHER = {one: other for pair in PAIRS.split(", ") for one, other in (pair.split(), pair.split()[::-1])}
OPPOSITE = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Site(NamedTuple):
    """A place of the tree where one part can be exchanged."""

    name: str
    parent: ast.AST
    field: str
    new: object


def changes(node: ast.AST, in_table: bool) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the node's place, each with the kind of change."""
    kind = type(node).__name__
    match node:
        case ast.cmpop() | ast.boolop() | ast.operator() | ast.Break() | ast.Continue() if kind in OTHER:
            yield kind.lower(), getattr(ast, OTHER[kind])()
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield "sign", operand
        case ast.Constant(bool(value)):
            yield "value", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "value", ast.Constant(value + 1 if isinstance(value, int) else value * 1.1 or 1.0)
        case ast.Call(ast.Name(name), arguments, keywords) if name in OPPOSITE:
            yield "call", ast.Call(ast.Name(OPPOSITE[name]), arguments, keywords)
        case ast.Raise() | ast.Expr(ast.Call()):
            yield "statement", ast.Pass()
        case ast.Dict(keys, values) if in_table:
            for at in range(len(keys)):
                yield "row", ast.Dict([*keys[:at], *keys[at + 1 :]], [*values[:at], *values[at + 1 :]])
        case ast.Tuple(rows) | ast.List(rows) | ast.Set(rows) if in_table and len(rows) > 1:
            for at in range(len(rows)):
                yield "row", type(node)([*rows[:at], *rows[at + 1 :]])


def sites(tree: ast.Module) -> list[Site]:
    """All places of a file, in its order: in functions, and in what is assigned outside of classes and functions."""
    seen: Counter[str] = Counter()

    def walk(node: ast.AST, names: tuple[str, ...], place: str) -> Iterator[Site]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for at, part in enumerate(value if isinstance(value, list) else [value]):
                if (
                    not isinstance(part, ast.AST)
                    or isinstance(part, ast.arguments)
                    or getattr(part, "arg", 0) == "strict"
                ):
                    continue
                found = list(changes(part, place == "table")) if place else []
                if place and field == "test" and isinstance(part, ast.Name | ast.Attribute | ast.Call):
                    found.append(("if", ast.UnaryOp(ast.Not(), part)))
                for kind, new in found:
                    name = f"{'.'.join(names)} {kind}"
                    seen[name] += 1
                    whole = [*value[:at], new, *value[at + 1 :]] if isinstance(value, list) else new
                    yield Site(f"{name} {seen[name]}", node, field, whole)
                match part:
                    case ast.FunctionDef(name) if place != "function":
                        yield from walk(part, (*names, name), "function")
                    case ast.ClassDef(name):
                        yield from walk(part, (*names, name), place)
                    case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)) if not names:
                        yield from walk(part, (name,), "table")
                    case _:
                        yield from walk(part, names, place)

    return list(walk(tree, (), ""))


def mutants(file: str, kept: dict[str, Any], *, again: bool) -> Iterator[tuple[str, str]]:
    """Names and texts: of those that died before, or of a sample, which a new function changes little."""
    tree = ast.parse((ROOT / file).read_text())
    found = sites(tree)
    found.sort(key=lambda site: hashlib.sha256(f"{SEED} {file} {site.name}".encode()).digest())
    for site in [site for site in found if site.name in kept["killed"]] if again else found[: kept["mutants"]]:
        old = getattr(site.parent, site.field)
        setattr(site.parent, site.field, site.new)
        yield site.name, ast.unparse(ast.fix_missing_locations(tree))
        setattr(site.parent, site.field, old)


class Run:
    """Plugin of pytest: the tests of each file, once unchanged ("") and then with each mutant, in a fork each."""

    def __init__(self, kept: dict[str, Any], *, again: bool, keep: Callable[[str, dict[str, str]], None]) -> None:
        self.kept, self.again, self.keep, self.out = kept, again, keep, -1

    def pytest_configure(self) -> None:
        """The template of the database is named by the code; a mutant changes no table."""
        vars(importlib.import_module("tests.migrated"))["_digest"] = lambda: "mutants"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of what is written the other process reads the first line."""
        if report.failed:
            os.write(self.out, f"{report.nodeid}\n".encode())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """In the process that has collected the tests nothing else runs."""
        if session.testsfailed:
            return None
        for file, kept in self.kept.items():
            found: dict[str, str] = {}
            for name, text in [("", ""), *mutants(file, kept, again=self.again)]:
                reading, self.out = os.pipe()
                if (child := os.fork()) == 0:
                    os.setsid()
                    vars(importlib.import_module("tests.own_folder"))["_made"].clear()  # the next fork needs it too
                    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
                    signal.alarm(20 * SECONDS)
                    if name and not exchange(file, name.split()[0], text):
                        os._exit(UNREACHED)
                    session.items[:] = [
                        item
                        for item in session.items
                        if item.nodeid.split("::")[0] in kept["tests"]
                        and (kept.get("slow") or not item.get_closest_marker("slow"))
                    ]
                    return None
                found[name] = _killer(child, reading, self.out)
                print(f"{file} {name or 'unchanged'}: {found[name] or 'none'}", file=sys.stderr, flush=True)
                if not name and found[name]:
                    break
            self.keep(file, found)
        return True


def _killer(child: int, reading: int, writing: int) -> str:
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its tests started and left
    with os.fdopen(reading) as pipe:
        failed = pipe.readline().strip()
    return "" if code == 0 else failed or {UNREACHED: "unreached"}.get(code, "time" if code < 0 else "error")


def exchange(file: str, name: str, text: str) -> bool:
    """Put the function or table of this text in the place of the loaded one; False where that can't be done."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    Path(file).write_text(text)  # for processes that tests start
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assign([ast.Name(target)]) | ast.AnnAssign(ast.Name(target)) if target == name:
                old = vars(module)[name]
                exec(compile(ast.Module([statement], []), file, "exec"), vars(module))  # noqa: S102 - our own text
                for other in [other for other in sys.modules.values() if vars(other).get(name) is old]:
                    setattr(other, name, vars(module)[name])
                return True
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part)
        while inner := getattr(found, "__wrapped__", getattr(found, "fget", getattr(found, "__func__", None))):
            found = inner
    left, new = [compile(text, file, "exec", dont_inherit=True)], None
    while left:
        for code in [code for code in left.pop().co_consts if isinstance(code, CodeType)]:
            new = code if code.co_qualname == name and code.co_flags & inspect.CO_OPTIMIZED else new
            left.append(code)
    if not isinstance(found, FunctionType) or new is None or found.__code__.co_freevars != new.co_freevars:
        return False
    found.__code__ = new
    return True


def main() -> int:
    """Measure, or compare with what was measured."""
    again, parts = "--again" in sys.argv, [word for word in sys.argv[1:] if word != "--again"] or [""]
    kept: dict[str, Any] = json.loads(KEPT.read_text())
    asked = {file: rule for file, rule in kept.items() if any(part in file for part in parts)}
    files = {file: rule for file, rule in asked.items() if rule["killed"] or not again}  # some were never measured
    wrong: list[str] = []

    def keep(file: str, found: dict[str, str]) -> None:
        if found.pop(""):
            wrong.append(f"{file} without any change")
        elif again:
            wrong.extend(f"{file}: {name}" for name, killer in found.items() if not killer)
        else:
            notes, alive = kept[file]["survived"], [name for name, killer in found.items() if not killer]
            killed = {name: killer for name, killer in found.items() if killer not in ("", "unreached")}
            kept[file] |= {"killed": killed, "survived": {name: notes.get(name, "") for name in alive}}
            KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")

    with tempfile.TemporaryDirectory(prefix="mutants-", dir=MEMORY if MEMORY.exists() else None) as above:
        copy, own = Path(above) / "copy", os.getpid()
        shutil.copytree(ROOT, copy, ignore=lambda folder, _: [".git", ".venv", "var"] if Path(folder) == ROOT else [])
        os.environ.update(TMPDIR=above, DATABASE_SYNCHRONOUS="NORMAL", OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
        os.environ["COMPILED_DIR"] = str(ROOT / "var/compiled")
        os.chdir(copy)
        sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
        sys.modules.pop("tools", None)
        options = f"-xq -p no:cacheprovider --hypothesis-seed=0 --rootdir={copy} -m".split()
        tests = dict.fromkeys(test for rule in files.values() for test in rule["tests"])
        code = pytest.main([*options, "not proof", *tests], plugins=[Run(files, again=again, keep=keep)])
        if os.getpid() != own:
            os._exit(int(code))
        os.chdir(ROOT)
    print("\n".join(["Alive again, or tests that fail:", *wrong]) if wrong else "Nothing lives that died before.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
