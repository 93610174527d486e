"""The snippets of the set-up page are code of their language, for every type; tests/clients runs three of them.

Kotlin, Swift and Go have no compiler here: nothing checks their text.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from experiments.models import Experiment
from experiments.status.connection import Snippet, snippets
from tests.conftest import missing

TYPES: dict[str, Any] = {
    "boolean": False,
    "string": "it's “off”",
    "integer": 3,
    "number": 0.5,
    "json": {"a": [1, "한글"]},
}
PARSE = """
import java.util.List;
import javax.tools.*;
import com.sun.source.util.JavacTask;

class Parse {
    public static void main(String[] names) throws Exception {
        var compiler = ToolProvider.getSystemJavaCompiler();
        var wrong = new DiagnosticCollector<JavaFileObject>();
        var files = compiler.getStandardFileManager(null, null, null).getJavaFileObjects(names);
        ((JavacTask) compiler.getTask(null, null, wrong, null, null, files)).parse();
        wrong.getDiagnostics().forEach(System.out::println);
    }
}
"""


def made(kind: str) -> dict[str, Snippet]:
    """All snippets of an experiment whose flag has values of this type, by language."""
    row = Experiment(key="guild", name="G", flag_key="guild", value_type=kind, default_value=TYPES[kind])
    keys = {"server": "the key “app”", "client": "the key “web”"}
    return {one.slug: one for one in snippets(row, site="http://127.0.0.1:8000", keys=keys)}


def need(tool: str) -> str:
    """Where a tool is; the test is skipped without it, and fails under CI."""
    found = shutil.which(tool)
    if found is None:
        missing(tool)
    return found


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("slug", ["python", "growthbook"])
def test_snippet__python__compiles(slug: str, kind: str) -> None:
    compile(made(kind)[slug].code, slug, "exec")


@pytest.mark.parametrize("kind", TYPES)
def test_snippet__curl__is_a_shell_command(kind: str) -> None:
    done = subprocess.run(
        [need("bash"), "-n"], input=made(kind)["curl"].code, text=True, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["node", "web"])
def test_snippet__javascript__is_a_module(slug: str, tmp_path: Path) -> None:
    files = []
    for kind in TYPES:
        files.append(tmp_path / f"{kind}.mjs")
        files[-1].write_text(made(kind)[slug].code, encoding="utf-8")

    for file in files:
        done = subprocess.run([need("node"), "--check", str(file)], text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_snippet__java__parses(tmp_path: Path) -> None:
    need("javac")
    (tmp_path / "Parse.java").write_text(PARSE, encoding="utf-8")
    files = []
    for kind in TYPES:
        lines = made(kind)["java"].code.splitlines()
        imports = [line for line in lines if line.startswith("import ")]
        rest = [line for line in lines if not line.startswith("import ")]
        text = "\n".join([*imports, "class T { void t() throws Exception {", *rest, "} }"])
        files.append(tmp_path / f"{kind}.java")
        files[-1].write_text(text, encoding="utf-8")

    done = subprocess.run(
        [need("java"), str(tmp_path / "Parse.java"), *map(str, files)], text=True, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
