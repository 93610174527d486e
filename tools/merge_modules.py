# ruff: noqa
# mypy: ignore-errors
"""Merge modules into one, and rewrite every import, reference and dotted name: for issue 31's step 4, then to be deleted.

    python -m venv /somewhere && /somewhere/bin/pip install libcst
    /somewhere/bin/python tools/merge_modules.py ROOT PLAN

PLAN is text. ``@ folder`` says where the next lines are; ``target <- source source | docstring`` merges files (no ``.py``) into a
target, new or not; ``- folder folder`` removes folders that are empty but for ``__init__``. Definitions keep their names unless two
would collide, a local name would hide one, or a builtin is meant elsewhere; then they get their file's name in front. Names of
translation functions never change. Afterwards: ruff --fix, ruff format, lint-imports, mypy, tools.check, tools.unused, make fast.

What it can't know: a module that apps.py imports may import no rows; a pure module mustn't take in a service; who is loaded at a
web worker's start mustn't take in what loads numpy. And a target that has the name of a function of a folder's face
(`from stats.adjustment import lin`) is taken for the module.
"""

import builtins, os, re, subprocess, sys, textwrap
from collections import defaultdict
import libcst as cst
from libcst.metadata import (
    MetadataWrapper,
    ScopeProvider,
    ParentNodeProvider,
    GlobalScope,
    ClassScope,
    Assignment,
    ImportAssignment,
    BuiltinAssignment,
)

ROOT = sys.argv[1]
sys.argv[2] = os.path.abspath(sys.argv[2])
os.chdir(ROOT)
TEXT = (
    ".py",
    ".toml",
    ".md",
    ".yml",
    ".yaml",
    ".sh",
    ".cfg",
    ".txt",
    ".html",
    ".service",
    "Makefile",
    "Procfile",
    ".ipynb",
    ".in",
    ".conf",
)
SKIP = ("CHANGELOG.md", "locale/", "tests/fixtures/v0_", "requirements")


def modname(f):
    m = f[:-3].replace("/", ".")
    return m[:-9] if m.endswith(".__init__") else m


def tracked():
    return [f for f in subprocess.check_output(["git", "ls-files"], text=True).split("\n") if f and os.path.isfile(f)]


class File:
    def __init__(self, path):
        self.path = path
        self.mod = modname(path)
        self.code = open(path).read()
        self.wrap = MetadataWrapper(cst.parse_module(self.code))
        self.tree = self.wrap.module
        self.scopes = self.wrap.resolve(ScopeProvider)
        self.parents = self.wrap.resolve(ParentNodeProvider)
        self.glob = next(s for s in self.scopes.values() if isinstance(s, GlobalScope))
        self.assign = defaultdict(list)
        for a in self.glob.assignments:
            self.assign[a.name].append(a)
        self.defs = {
            n
            for n, l in self.assign.items()
            if any(not isinstance(a, (ImportAssignment, BuiltinAssignment)) for a in l)
        }
        self.imports = {}  # local name -> (module, attr|None) at global level
        for n, l in self.assign.items():
            for a in l:
                if isinstance(a, ImportAssignment):
                    self.imports[n] = target_of(a, self)
        self.names = {x.value for x in walk(self.tree) if isinstance(x, cst.Name)}


def walk(node):
    yield node
    for c in node.children:
        yield from walk(c)


def dotted(node):
    return node.value if isinstance(node, cst.Name) else f"{dotted(node.value)}.{node.attr.value}"


def base_of(imp, file):
    b = dotted(imp.module) if imp.module else ""
    if imp.relative:
        pkg = file.mod if file.path.endswith("__init__.py") else file.mod.rsplit(".", 1)[0]
        parts = pkg.split(".")
        parts = parts[: len(parts) - len(imp.relative) + 1]
        b = ".".join(parts + ([b] if b else []))
    return b


def target_of(a, file):
    node = a.node
    if isinstance(node, cst.ImportFrom):
        b = base_of(node, file)
        for al in node.names:
            local = al.evaluated_alias or al.evaluated_name
            if local == a.name:
                return (b, al.evaluated_name)
    if isinstance(node, cst.Import):
        for al in node.names:
            local = al.evaluated_alias or al.evaluated_name
            if local == a.name or al.evaluated_name.split(".")[0] == a.name:
                return (al.evaluated_name, None)
    raise SystemExit(f"{file.path}: what does {a.name} import?")


def chain(scope):
    while scope is not None and not isinstance(scope, GlobalScope):
        yield scope
        scope = scope.parent if scope.parent is not scope else None


def local(scope, name):
    return any(name in s._assignments for s in chain(scope))


KEYWORDS = {"gettext", "say", "later", "Refused", "gettext_lazy", "gettext_noop", "_", "ngettext", "ngettext_lazy"}


def newish(stem, name):
    if name.isupper() or (name.upper() == name):
        return ("_" if name.startswith("_") else "") + stem.upper() + "_" + name.lstrip("_")
    bare = name.lstrip("_")
    if bare[:1].isupper():
        return ("_" if name.startswith("_") else "") + "".join(p.capitalize() for p in stem.split("_")) + bare
    return ("_" if name.startswith("_") else "") + stem + "_" + bare


class Swap(cst.CSTTransformer):
    def __init__(self, repl):
        self.repl = repl

    def on_leave(self, o, u):
        r = self.repl.get(id(o))
        u = super().on_leave(o, u)
        if r is None:
            return u
        return r(u) if callable(r) else r


def code(node, tree):
    return tree.code_for_node(node)


def one(op):
    target = op["target"]
    sources = [s for s in op["sources"] if s != target]
    exists = os.path.exists(target)
    paths = sources + ([target] if exists else [])
    F = {modname(p): File(p) for p in paths}
    T = modname(target)
    tname = T.rsplit(".", 1)[1]
    rename_given = {tuple(k.rsplit(".", 1)): v for k, v in op.get("rename", {}).items()}
    # ---- order: who is imported stands before who imports
    deps = {m: set() for m in F}
    for m, f in F.items():
        for n, (b, a) in f.imports.items():
            if a is not None and f"{b}.{a}" in F:
                deps[m].add(f"{b}.{a}")
            elif b in F:
                deps[m].add(b)
    order = []

    def visit(m, seen=()):
        if m in order:
            return
        if m in seen:
            raise SystemExit(f"{op}: circle {seen}")
        for d in sorted(deps[m]):
            visit(d, seen + (m,))
        order.append(m)

    for p in sources + ([target] if exists else []):
        visit(modname(p))
    # ---- names
    new = {}  # (mod,name) -> new name
    for m in order:
        for n in F[m].defs:
            new[m, n] = rename_given.get((m, n), n)
    alias = {}  # (mod, local import name) -> local name in the merged file

    def stem(m):
        return m.rsplit(".", 1)[1]

    owners = defaultdict(list)
    for m in order:
        for n in F[m].defs:
            owners[new[m, n]].append(m)
    drop = set()

    def single_text(m, n):
        l = [a for a in F[m].assign[n]]
        if len(l) != 1:
            return None
        node = l[0].node
        while not isinstance(F[m].parents.get(node), cst.Module):
            node = F[m].parents.get(node)
            if node is None:
                return None
        return F[m].tree.code_for_node(node.with_changes(leading_lines=())), node

    for n, ms in owners.items():
        if len(ms) < 2:
            continue
        texts = [single_text(m, n) for m in ms]
        if all(texts) and len({t[0].strip() for t in texts}) == 1:
            # the same words may mean other things: every import that both have must be the same
            words = set(re.findall(r"\w+", texts[0][0]))
            same = all(
                F[a].imports.get(w) == F[b].imports.get(w) and ((w in F[a].defs) == (w in F[b].defs))
                for w in words
                for a in ms
                for b in ms
            )
            deep = [w for w in words if w != n and any(w in F[m].defs for m in ms)]
            if same and not deep:
                for m, t in list(zip(ms, texts))[1:]:
                    drop.add((m, n, id(t[1])))
                continue
        keep = [m for m in ms if m == T]
        for m in ms:
            if m not in keep:
                new[m, n] = newish(stem(m), n)
    # builtins and locals that would catch a name
    changed = True
    rounds = 0

    def is_group(f, n):
        i = f.imports.get(n)
        if i is None:
            return None
        b, a = i
        if a is None:
            return None
        if f"{b}.{a}" in F:
            return ("mod", f"{b}.{a}")
        if b in F:
            return ("name", b, a)
        return None

    while changed and rounds < 5:
        changed = False
        rounds += 1
        for m in order:
            f = F[m]
            for n, l in f.assign.items():
                for a in l:
                    for acc in a.references:
                        tgt = None
                        g = is_group(f, n) if isinstance(a, ImportAssignment) else None
                        if g and g[0] == "mod":
                            par = f.parents.get(acc.node)
                            if isinstance(par, cst.Attribute) and par.value is acc.node:
                                tgt = (g[1], par.attr.value)
                        elif g:
                            tgt = (g[1], g[2])
                        elif n in f.defs:
                            tgt = (m, n)
                        if tgt and tgt in new and local(acc.scope, new[tgt]) and not (tgt == (m, n) and new[tgt] == n):
                            nn = newish(stem(tgt[0]), tgt[1])
                            if nn == new[tgt]:
                                raise SystemExit(f"{m}: {nn} is local")
                            new[tgt] = nn
                            changed = True
        for (m, n), v in list(new.items()):
            if v in dir(builtins):
                for o in order:
                    if o != m and v in F[o].names and v not in F[o].assign:
                        new[m, n] = newish(stem(m), n)
                        changed = True
                        break
    # ---- imports of the merged file
    taken = {}
    for (m, n), v in new.items():
        taken.setdefault(v, ("def", m, n))
    for m in order:
        f = F[m]
        for n, i in sorted(f.imports.items()):
            if is_group(f, n):
                continue
            have = taken.get(n)
            if have is None or have == ("imp",) + i:
                taken[n] = ("imp",) + i
                alias[m, n] = n
            else:
                b, a = i
                nn = newish(b.rsplit(".", 1)[-1], a or n)
                if b == "django.utils.translation":
                    free = [c for c in (a, "_") if c not in taken or taken[c] == ("imp",) + i]
                    free = [
                        c
                        for c in free
                        if not any(c in F[o].names and F[o].imports.get(c) not in (None, i) for o in order)
                    ]
                    if not free:
                        raise SystemExit(f"{m}: {a} from django: no free name")
                    nn = free[0]
                if nn in taken and taken[nn] != ("imp",) + i:
                    raise SystemExit(f"{m}: {n} -> {nn} taken")
                if n in KEYWORDS and nn not in KEYWORDS:
                    raise SystemExit(f"{m}: {n} is a keyword of translation")
                taken[nn] = ("imp",) + i
                alias[m, n] = nn
                print("  alias", m, n, "->", nn)
    for (m, n), v in new.items():
        if v != n and n in KEYWORDS:
            raise SystemExit(f"{m}: {n} is a keyword of translation")
        if v != n:
            print("  rename", m, n, "->", v)
    # a global of one file that is a builtin or nothing in another can't happen otherwise
    # locals that hide an aliased import are impossible: aliases are fresh
    imports = []
    bodies = []
    typing_only = []
    doc = None
    for m in order:
        f = F[m]
        repl = {}

        def ren(node_name, newname):
            repl[id(node_name)] = (lambda v: lambda u: u.with_changes(value=v))(newname)

        for n, l in f.assign.items():
            for a in l:
                if isinstance(a, BuiltinAssignment):
                    continue
                g = is_group(f, n) if isinstance(a, ImportAssignment) else None
                if isinstance(a, ImportAssignment):
                    if g and g[0] == "name":
                        nn = new.get((g[1], g[2]), g[2])
                    elif g:
                        nn = None
                    else:
                        nn = alias[m, n]
                else:
                    nn = new[m, n]
                    node = a.node
                    if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
                        if nn != n:
                            ren(node.name, nn)
                    elif isinstance(node, cst.Name):
                        if nn != n:
                            ren(node, nn)
                    elif hasattr(node, "name") and isinstance(node.name, cst.Name):
                        if nn != n:
                            ren(node.name, nn)
                    elif nn != n:
                        raise SystemExit(f"{m}: {n} is bound by {type(node)}")
                for acc in a.references:
                    node = acc.node
                    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
                        if nn is not None and nn != n:
                            old = repl.get(id(node))

                            def fix(u, n=n, nn=nn, old=old):
                                if old:
                                    u = old(u)
                                return u.with_changes(value=re.sub(rf"(?<![\w.]){re.escape(n)}\b", nn, u.value))

                            repl[id(node)] = fix
                        elif nn is None:
                            old = repl.get(id(node))

                            def fix2(u, n=n, g=g, old=old):
                                if old:
                                    u = old(u)
                                return u.with_changes(
                                    value=re.sub(
                                        rf"(?<![\w.]){re.escape(n)}\.(\w+)",
                                        lambda k: new.get((g[1], k[1]), k[1]),
                                        u.value,
                                    )
                                )

                            repl[id(node)] = fix2
                        continue
                    if nn is None:
                        par = f.parents.get(node)
                        if not (isinstance(par, cst.Attribute) and par.value is node):
                            raise SystemExit(f"{m}: module {n} is used bare")
                        x = par.attr.value
                        tgt = new.get((g[1], x))
                        if tgt is None:
                            # a name that the other module imports itself
                            tgt = alias.get((g[1], x))
                            if tgt is None:
                                raise SystemExit(f"{m}: {n}.{x} is not defined in {g[1]}")
                        v = tgt
                        repl[id(par)] = (lambda v, lp, rp: lambda u: cst.Name(v, lpar=u.lpar, rpar=u.rpar))(
                            v, None, None
                        )
                    elif nn != n:
                        if isinstance(node, cst.Name):
                            ren(node, nn)
                        else:
                            raise SystemExit(f"{m}: access {type(node)}")
        for x in walk(f.tree):
            if isinstance(x, cst.Global):
                for it in x.names:
                    if (m, it.name.value) in new and new[m, it.name.value] != it.name.value:
                        ren(it.name, new[m, it.name.value])
            # an import of the group inside a function: the names stand in the same file now
            if isinstance(x, cst.ImportFrom) and not isinstance(f.parents.get(f.parents.get(x)), cst.Module):
                b = base_of(x, f)
                if not isinstance(x.names, cst.ImportStar) and any(
                    f"{b}.{al.evaluated_name}" in F or b in F for al in x.names
                ):
                    raise SystemExit(f"{m}: imports {b} inside a function")
        tree = f.tree
        swapped = tree.visit(Swap(repl)) if repl else tree
        # walk both trees in step: original statements say what they are
        body = []
        first = True
        for so, sn in zip(tree.body, swapped.body):
            if (
                first
                and isinstance(so, cst.SimpleStatementLine)
                and len(so.body) == 1
                and isinstance(so.body[0], cst.Expr)
                and isinstance(so.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
            ):
                first = False
                text = so.body[0].value.evaluated_value
                if m == T and not op.get("doc"):
                    doc = text
                else:
                    body.append(("doc", text))
                continue
            first = False
            if (
                isinstance(so, cst.SimpleStatementLine)
                and len(so.body) == 1
                and isinstance(so.body[0], (cst.ImportFrom, cst.Import))
                and not any(k == "code" for k, _ in body)
            ):
                i = so.body[0]
                if isinstance(i, cst.ImportFrom):
                    b = base_of(i, f)
                    if b == "__future__":
                        imports.insert(0, tree.code_for_node(so).strip())
                        continue
                    keepn = []
                    for al in i.names:
                        nme = al.evaluated_name
                        loc = al.evaluated_alias or nme
                        if is_group(f, loc) and (f"{b}.{nme}" in F or b in F):
                            continue
                        want = alias[m, loc]
                        keepn.append(nme if nme == want and not al.asname else f"{nme} as {want}")
                    if not keepn:
                        continue
                    comment = so.trailing_whitespace.comment.value if so.trailing_whitespace.comment else ""
                    inner = re.findall(r"#.*", tree.code_for_node(i))
                    lead = [l.comment.value for l in so.leading_lines if l.comment]
                    for l in lead:
                        imports.append(l)
                    if comment or inner:
                        imports.append(
                            f"from {b} import {', '.join(keepn)}" + "  " + " ".join([comment] + inner).strip()
                        )
                    else:
                        for k in keepn:
                            imports.append(f"from {b} import {k}")
                else:
                    for l in so.leading_lines:
                        if l.comment:
                            imports.append(l.comment.value)
                    imports.append(tree.code_for_node(so.with_changes(leading_lines=())).strip())
                continue
            if isinstance(so, cst.If) and code(so.test, tree) == "TYPE_CHECKING" and so.orelse is None:
                for st in so.body.body:
                    i = st.body[0]
                    if not isinstance(i, cst.ImportFrom):
                        typing_only.append(tree.code_for_node(st).strip())
                        continue
                    b = base_of(i, f)
                    for al in i.names:
                        nme = al.evaluated_name
                        loc = al.evaluated_alias or nme
                        if is_group(f, loc):
                            continue
                        want = alias[m, loc]
                        typing_only.append(f"from {b} import {nme if nme == want else nme + ' as ' + want}")
                continue
            if any(mm == m and idn == id(so) for mm, _, idn in drop):
                continue
            body.append(("code", swapped.code_for_node(sn)))
        bodies.append((m, body, tree.footer))
    out = []
    if op.get("doc"):
        doc = op["doc"]
    if doc is None:
        doc = next((t for _, b, _ in bodies for k, t in b if k == "doc"), "")
    out.append('"""' + doc + '"""\n')
    runtime = set(imports)
    imports = list(dict.fromkeys(imports))
    typing_only = [t for t in dict.fromkeys(typing_only) if t not in runtime]
    out += [i + "\n" for i in imports]
    if typing_only:
        if not any("TYPE_CHECKING" in i for i in imports):
            out.append("from typing import TYPE_CHECKING\n")
        out.append("\nif TYPE_CHECKING:\n" + "".join("    " + t + "\n" for t in typing_only))
    for m, body, footer in bodies:
        for k, t in body:
            if k == "doc":
                if t == doc and m != T:
                    continue
                out.append("\n\n" + heading(t))
            else:
                out.append(t if t.endswith("\n") else t + "\n")
    text = "\n".join([""]).join(out)
    # ---- everybody else
    old = [modname(s) for s in sources]
    edits = {}
    pat = re.compile("|".join(re.escape(o.rsplit(".", 1)[1]) for o in old))
    for p in tracked():
        if any(p.startswith(s) for s in SKIP) or not p.endswith(TEXT) or p in paths:
            continue
        src = open(p, encoding="utf-8").read()
        if not pat.search(src):
            continue
        res = src
        if p.endswith(".py"):
            res = importer(p, src, old, T, tname, new, F)
        for o, s in zip(old, sources):
            so = o.rsplit(".", 1)[1]

            def dn(k, o=o):
                attr = k.group(1)
                return T + ("." + new.get((o, attr), attr) if attr else "")

            res = re.sub(rf"(?<![\w./]){re.escape(o)}(?![\w])(?:\.(\w+))?", dn, res)
            res = re.sub(rf"(?<![\w/-]){re.escape(s)}(?!\w)", target, res)
            res = re.sub(rf"(?<![\w/-]){re.escape(s[:-3])}(?![\w/.])", target[:-3], res)
        if res != src:
            edits[p] = res
    if "--dry" in sys.argv:
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    for s in sources:
        subprocess.check_call(["git", "rm", "-q", "--cached", s])
        os.remove(s)
    open(target, "w").write(text)
    for p, t in edits.items():
        open(p, "w").write(t)
    subprocess.check_call(["git", "add", "-A", "--", target] + list(edits))


def heading(t):
    paras = [" ".join(p.split()) if not re.search(r"\n\s*[-*]|\n    ", p) else p for p in t.strip().split("\n\n")]
    lines = []
    for p in paras:
        if lines:
            lines.append("#")
        for l in p.split("\n"):
            for w in textwrap.wrap(l, 116) or [""]:
                lines.append("# " + w if w else "#")
    return "\n".join(lines) + "\n"


def importer(p, src, old, T, tname, new, F):
    if not any(re.search(rf"\b{re.escape(o.rsplit('.', 1)[1])}\b", src) for o in old):
        return src
    if not any(o.rsplit(".", 1)[0] in src or "from ." in src for o in old):
        return src
    try:
        f = File(p)
    except SystemExit:
        raise
    repl = {}
    todo = False
    tpkg = T.rsplit(".", 1)[0]
    # all scopes: imports may stand in functions
    seen = set()
    for scope in set(f.scopes.values()):
        if scope is None:
            continue
        for a in getattr(scope, "assignments", ()):
            if not isinstance(a, ImportAssignment) or id(a) in seen:
                continue
            seen.add(id(a))
            node = a.node
            if not isinstance(node, cst.ImportFrom):
                if isinstance(node, cst.Import) and any(al.evaluated_name in old for al in node.names):
                    raise SystemExit(f"{p}: import {old}")
                continue
            b, n = target_of(a, f)
            full = f"{b}.{n}"
            if full in old:
                todo = True
                # the name under which the target is known here
                bound = tname
                taken = any(
                    tname in s._assignments
                    and not all(
                        isinstance(x, ImportAssignment) and target_of(x, f) == (tpkg, tname)
                        for x in s._assignments[tname]
                        if isinstance(x, ImportAssignment)
                    )
                    or (
                        tname in s._assignments
                        and any(not isinstance(x, ImportAssignment) for x in s._assignments[tname])
                    )
                    for s in set(f.scopes.values())
                    if s is not None and hasattr(s, "_assignments")
                )
                if taken:
                    bound = tpkg.rsplit(".", 1)[-1] + "_" + tname if tpkg else a.name
                for acc in a.references:
                    nd = acc.node
                    if isinstance(nd, cst.SimpleString):

                        def fixs(u, n=a.name, o=full, bound=bound):
                            return u.with_changes(
                                value=re.sub(rf"\b{n}\.(\w+)", lambda k: f"{bound}.{new.get((o, k[1]), k[1])}", u.value)
                            )

                        repl[id(nd)] = fixs
                        continue
                    par = f.parents.get(nd)
                    repl[id(nd)] = (lambda v: lambda u: u.with_changes(value=v))(bound)
                    if isinstance(par, cst.Attribute) and par.value is nd:
                        x = par.attr.value
                        nn = new.get((full, x), x)
                        if nn != x:
                            repl[id(par.attr)] = (lambda v: lambda u: u.with_changes(value=v))(nn)
                    elif isinstance(par, cst.Arg):
                        call = f.parents.get(par)
                        if (
                            isinstance(call, cst.Call)
                            and len(call.args) > 1
                            and call.args[0] is par
                            and isinstance(call.args[1].value, cst.SimpleString)
                        ):
                            x = call.args[1].value.evaluated_value
                            nn = new.get((full, x), x)
                            if nn != x:
                                repl[id(call.args[1].value)] = (lambda v: lambda u: u.with_changes(value=f'"{v}"'))(nn)
                mark(repl, node, full, tpkg, tname, bound, a.name)
            elif b in old:
                todo = True
                nn = new.get((b, n), n)
                markname(repl, node, b, n, T, nn, a.name)
    if not todo:
        return src
    sw = f.tree.visit(Swap({k: v for k, v in repl.items() if not isinstance(v, dict)}))

    # import statements: rewritten as text lines
    class Imps(cst.CSTTransformer):
        def leave_SimpleStatementLine(self, o, u):
            if len(u.body) != 1 or not isinstance(u.body[0], cst.ImportFrom):
                return u
            i = u.body[0]
            if isinstance(i.names, cst.ImportStar):
                return u
            b = base_of(i, f)
            keep = []
            more = []
            for al in i.names:
                n = al.evaluated_name
                loc = al.evaluated_alias or n
                if f"{b}.{n}" in old:
                    bound = BOUND.get((p, loc), tname)
                    more.append((tpkg, tname, None if bound == tname else bound))
                elif b in old:
                    nn = new.get((b, n), n)
                    more.append((T, nn, al.evaluated_alias or (n if nn != n else None)))
                else:
                    keep.append(al)
            if not more:
                return u
            stmts = []
            if keep:
                keep[-1] = keep[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
                stmts.append(u.with_changes(body=[i.with_changes(names=keep)]))
            done = set()
            for mod, nm, asn in more:
                if (mod, nm, asn) in done:
                    continue
                done.add((mod, nm, asn))
                line = cst.parse_statement(f"from {mod} import {nm}" + (f" as {asn}" if asn else ""))
                line = line.with_changes(trailing_whitespace=u.trailing_whitespace)
                if not stmts:
                    line = line.with_changes(leading_lines=u.leading_lines)
                stmts.append(line)
            return cst.FlattenSentinel(stmts)

    return sw.visit(Imps()).code


BOUND = {}


def mark(repl, node, full, tpkg, tname, bound, local_name):
    BOUND[CUR[0], local_name] = bound


def markname(*a):
    pass


CUR = [None]
_imp = importer


def importer(p, *a):
    CUR[0] = p
    BOUND.clear()
    return _imp(p, *a)


def steps(path):
    folder = ""
    for line in open(path):
        line = line.split("#")[0].strip()
        if line.startswith("@"):
            folder = line[1:].strip()
        elif line.startswith("-"):
            yield {"remove": [f"{folder}/{x}" for x in line[1:].split()]}
        elif line:
            line, _, doc = line.partition("|")
            target, sources = line.split("<-")
            op = {"target": f"{folder}/{target.strip()}.py", "sources": [f"{folder}/{x}.py" for x in sources.split()]}
            yield {**op, "doc": doc.strip()} if doc.strip() else op


if __name__ == "__main__":
    for op in steps(sys.argv[2]):
        if "remove" in op:
            for d in op["remove"]:
                left = [f for f in tracked() if f.startswith(d + "/") and f != d + "/__init__.py"]
                if left:
                    print("  LEFT", d, left)
                    continue
                if os.path.exists(d + "/__init__.py"):
                    subprocess.check_call(["git", "rm", "-qf", d + "/__init__.py"])
                subprocess.call(["rm", "-rf", d])
                print("removed", d)
            continue
        print(op["target"], "<-", [os.path.basename(s) for s in op["sources"]], flush=True)
        try:
            one(op)
        except SystemExit as e:
            print("  NOT DONE:", e)
