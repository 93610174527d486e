"""Loaded before Django (`-p tests.own_folder` in pyproject.toml): a test run never meets what lies in the checkout.

`make demo` leaves a database, a store and a report in `var`; a test that reads `VAR_DIR` would find them, and one that
writes would change the site that somebody looks at. So each run has a folder of its own, removed in the end.
"""

import os
import shutil
import tempfile
from pathlib import Path

from insight_site import first_start
from tests import migrated

ROOT = Path(__file__).resolve().parent.parent
_made: list[Path] = []

if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of the process that started them
    _made.append(Path(tempfile.mkdtemp(prefix="insight-tests-")))
    os.environ["VAR_DIR"] = os.environ["TESTS_FOLDER"] = str(_made[0])
    first_start.make_key(_made[0] / "secret_key")
    # Of no site: what numba has compiled, which takes a minute to compile again.
    os.environ.setdefault("COMPILED_DIR", str(ROOT / "var" / "compiled"))


def pytest_unconfigure() -> None:
    """Remove the folder with the run that made it."""
    while _made:
        migrated.drop_templates(_made[-1])
        shutil.rmtree(_made.pop(), ignore_errors=True)
