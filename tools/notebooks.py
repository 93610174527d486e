"""Execute the documentation's notebooks against a temporary site: `python -m tools.notebooks`.

The site is created in a temporary folder, filled by `manage.py demo` and served by gunicorn and a worker; nbconvert in
.venv-docs executes docs/notebooks/*.ipynb. Pictures are stored as SVG, which needs no script and no other request. Each
notebook stores a digest of its code and of insight_client, by which a test detects outdated ones. `--site URL` uses a
running site, with the key in INSIGHT_KEY.
"""

import argparse
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from vl_convert import vegalite_to_svg

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "notebooks"
DOCS_PYTHON = ROOT / ".venv-docs" / "bin" / "python"
UNITS = 6_000
VEGA = "application/vnd.vegalite+json"
# Altair's own output is HTML with external scripts, or a type of data that nbformat rejects.
STARTUP = f"""
import altair
altair.renderers.register("specification", lambda specification: {{"{VEGA}": specification}})
altair.renderers.enable("specification")
"""
START_SECONDS = 120
KEY_CODE = """
import django; django.setup()
from events.models import Source
from insight_site.access.keys import issue_key
source = Source.objects.get_or_create(name="notebooks")[0]
scopes = ["reports:read", "segments:read", "metrics:read", "admin:*"]
print(issue_key(name="notebooks", source=source, kind="admin", scopes=scopes)[1])
"""

type Notebook = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute all notebooks, or the named ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="such as find_an_aha_moment; none: all")
    parser.add_argument("--site", help="address of a site that runs; its key is INSIGHT_KEY")
    parser.add_argument("--units", type=int, default=UNITS, help="users of the demo's experiment")
    options = parser.parse_args(arguments)
    paths = [FOLDER / f"{name}.ipynb" for name in options.names] or sorted(FOLDER.glob("*.ipynb"))
    if unknown := [path.stem for path in paths if not path.exists()]:
        parser.error(f"docs/notebooks/ has no {', '.join(unknown)}")
    if not DOCS_PYTHON.exists():
        print("notebooks: .venv-docs is missing; `sh tools/own_venv.sh docs` makes it", file=sys.stderr)
        return 1
    with ExitStack() as stack:
        where = (
            {"INSIGHT_URL": options.site, "INSIGHT_KEY": os.environ.get("INSIGHT_KEY", "")}
            if options.site
            else stack.enter_context(demo_site(options.units))
        )
        for path in paths:
            began = time.monotonic()
            path.write_text(text_of(finished(execute(path, where))), encoding="utf-8")
            print(f"notebooks: {path.name} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def execute(path: Path, where: Mapping[str, str]) -> Notebook:
    """Execute a notebook and return it with its outputs; the file is unchanged.

    Args:
        path: of the notebook.
        where: INSIGHT_URL and INSIGHT_KEY.

    Raises:
        subprocess.CalledProcessError: a cell failed; the traceback is on standard error.
    """
    command = [DOCS_PYTHON, "-m", "nbconvert", "--to", "notebook", "--execute", "--stdout", "--log-level", "ERROR"]
    # A busy machine takes minutes to start a kernel and to compute a study.
    options = {"record_timing": False, "timeout": 1800, "startup_timeout": 600}
    command += [f"--ExecutePreprocessor.{name}={value}" for name, value in options.items()]
    with tempfile.TemporaryDirectory(prefix="insight-ipython-") as profile:
        startup = Path(profile) / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "charts.py").write_text(STARTUP, encoding="utf-8")
        environment = {**os.environ, **where, "PYTHONPATH": str(ROOT), "IPYTHONDIR": profile}
        done = subprocess.run([*map(str, command), str(path)], env=environment, check=True, stdout=subprocess.PIPE)
    found: Notebook = json.loads(done.stdout)
    return found


def finished(notebook: Notebook) -> Notebook:
    """Finish a notebook: pictures as SVG, no execution counts, no kernel names and versions, and the digest."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        cell["execution_count"] = None
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = None  # required by the format
            _draw(output.get("data", {}))
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "insight": {"digest": digest(notebook)},
    }
    return notebook


def _draw(data: dict[str, Any]) -> None:
    if VEGA in data:
        data.pop("text/plain", None)
        data["image/svg+xml"] = vegalite_to_svg(data.pop(VEGA)).splitlines(keepends=True)


def digest(notebook: Notebook) -> str:
    """Digest of everything that determines the outputs: the notebook's cells and all modules of insight_client."""
    found = hashlib.sha256()
    for cell in notebook["cells"]:
        source = cell["source"]
        found.update((source if isinstance(source, str) else "".join(source)).encode() + b"\0")
    for path in sorted((ROOT / "insight_client").glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def text_of(notebook: Notebook) -> str:
    """The notebook as text, formatted as by Jupyter."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@contextmanager
def demo_site(units: int) -> Iterator[dict[str, str]]:
    """Run a demo site with a worker during the block; yields its address and a key."""
    with tempfile.TemporaryDirectory(prefix="insight-notebooks-") as text:
        folder, port = Path(text), _free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "EVENTS_URL": str(folder / "events"),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "ALLOWED_HOSTS": "127.0.0.1",
            "HTTPS": "0",
            "REDIS_URL": "",
            "OMP_NUM_THREADS": "1",
            "DATABASE_SYNCHRONOUS": "NORMAL",
            "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        }
        (folder / "metrics").mkdir()

        def python(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            return done.stdout.strip()

        python("manage.py", "migrate", "-v0")
        python("manage.py", "demo", "--units", str(units))
        with ExitStack() as stack:
            server = ["-m", "gunicorn", "insight_site.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
            for arguments in (server, ["manage.py", "worker"]):
                stack.enter_context(_running(arguments, environment, folder / "log"))
            _wait(port, folder / "log")
            yield {"INSIGHT_URL": f"http://127.0.0.1:{port}", "INSIGHT_KEY": python("-c", KEY_CODE)}


@contextmanager
def _running(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError("the site did not start:\n" + log.read_text(errors="replace")[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
