"""Each tutorial, followed to its end as a newcomer does: its commands in a fresh checkout, its pages in Chromium.

The demo is made once, or was made in this checkout already: INSIGHT_DEMO_SAID names what `make demo` printed then. Each
tutorial has a copy of the checkout with it, and so a database, store and port of its own: where the page says 8000 the
port is another, and that alone isn't as written.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import FLAGS
from tests.clients.server import ROOT, free_port
from tests.conftest import missing
from tests.tutorials.reading import Block, PageStep, blocks, steps

FOLDER = ROOT / "docs" / "tutorials"
NAMES = ("pm", "analyst", "developer", "operator", "insight-team")
LOCALES = {"en": "en-US", "ko": "ko-KR"}
DEMO = "make demo\n"
OTHERS = ("debian", "docs")  # what other tests keep in var; the rest is of the demo's site
STAYS = ("PATH", "HOME", "LANG", "TMPDIR")
STAYS_TOO = (
    "PIP_",
    "UV_",
    "SSL_",
    "HTTP",
    "http",
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_",
)  # how packages are fetched here
SECONDS, START_SECONDS = 1_200, 180  # a block may take, and a server until it answers; for busy machines
docs = pytest.mark.docs


@dataclass
class Checkout:
    """A copy of this checkout, and the shell in which somebody works there."""

    folder: Path
    port: int
    said: str = ""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """As a newcomer's shell has it: no setting of Insight's."""
        kept = {name: value for name, value in os.environ.items() if name in STAYS or name.startswith(STAYS_TOO)}
        return {**kept, "PORT": str(self.port)}

    def run(self, code: str) -> None:
        """Run a block as it stands; what it prints is kept in `said`."""
        variables = self.folder.parent / f"{self.folder.name}.variables"
        shell = (
            f"set -eo pipefail\n[ ! -f {variables} ] || . {variables}\n{self._here(code)}\ndeclare -px >{variables}\n"
        )
        done = subprocess.run(
            ["bash", "-c", shell],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        self.said = done.stdout.decode().replace(f"127.0.0.1:{self.port}", "127.0.0.1:8000")
        assert done.returncode == 0, f"{code}\n{self.said}"

    def leave_running(self, code: str, address: str) -> None:
        """Run a block in a terminal of its own, and wait until it answers."""
        variables = self.folder.parent / f"{self.folder.name}.variables"
        log = self.folder.parent / f"{self.folder.name}.{len(self.running)}.log"
        shell = f"[ ! -f {variables} ] || . {variables}\n{self._here(code)}"
        with log.open("wb") as out:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", shell],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=out,
                    stderr=out,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(OSError), urllib.request.urlopen(self._here(address), timeout=5):
                return
            time.sleep(0.2)
        pytest.fail(f"{code} did not answer at {address}:\n{log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End what was left running, with all that it started.

        The shell ends at once, and `make serve` when what it started has ended, which is in no group of the shell's.
        """
        for one in self.running:
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGTERM)
                end = time.monotonic() + 15
                while time.monotonic() < end:
                    one.poll()  # a shell that has ended is of its group until somebody asks
                    os.killpg(one.pid, 0)
                    time.sleep(0.2)
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        self.running.clear()

    def _here(self, text: str) -> str:
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")


@dataclass
class Reader:
    """Somebody with a browser, in both languages at once: English acts, and Korean looks at the same page."""

    url: str
    passwords: dict[str, str]
    pages: dict[str, Any]

    def do(self, english: PageStep, korean: PageStep) -> None:
        """One step: its words stand on the page in both languages, then English does it."""
        page = self.pages["en"]
        match english.verb:
            case "open":
                page.goto(self.url + english.what)
            case "log in":
                self._log_in(english.what)
            case "log out":
                for one in self.pages.values():
                    one.context.clear_cookies()
                return
        self._see(page, english.labels)
        if page.url.startswith(self.url):
            self.pages["ko"].goto(page.url.partition("#")[0])  # the same address with a fragment would load nothing
        self._see(self.pages["ko"], korean.labels)
        match english.verb:
            case "press":
                try:
                    _control(page, english.labels[-1]).click()
                except Exception as trouble:
                    raise AssertionError(_shown(page, f"can't press “{english.labels[-1]}”")) from trouble
                page.wait_for_load_state("networkidle")
            case "tick":
                _field(page, english.labels[-1]).check()
            case "fill":
                _field(page, english.labels[-1]).fill(english.what)

    def _log_in(self, name: str) -> None:
        from playwright.sync_api import TimeoutError as TooLong

        for page in self.pages.values():
            page.goto(self.url + "/login/")
            page.fill("#id_username", name)
            page.fill("#id_password", self.passwords[name])
            page.locator("main button[type=submit]").click()
            try:
                page.wait_for_url(self.url + "/")
            except TooLong as trouble:
                text = page.locator("body").inner_text()
                raise AssertionError(f"{name} is not logged in; {page.url} says:\n{text[:6000]}") from trouble

    def _see(self, page: Any, labels: tuple[str, ...]) -> None:
        for label in labels:
            found = (
                page.locator("body")
                .get_by_text(label)
                .or_(page.get_by_label(label))
                .or_(page.get_by_role("button", name=label))
            )
            try:
                found.first.wait_for(state="attached")
            except Exception as trouble:
                raise AssertionError(_shown(page, f"has no “{label}”")) from trouble


def _shown(page: Any, trouble: str) -> str:
    text = re.sub(r"\s*\n\s*", "\n", page.locator("body").inner_text())
    return f"{page.url} {trouble}:\n{text[:6000]}"


def _control(page: Any, label: str) -> Any:
    """The first visible button, link or fold of this name."""
    for exact in (True, False):
        for role in ("button", "link", "tab"):
            found = page.get_by_role(role, name=label, exact=exact).locator("visible=true")
            if found.count():
                return found.first
    return page.locator("summary").filter(has_text=label).locator("visible=true").first


def _field(page: Any, label: str) -> Any:
    found = page.get_by_label(label, exact=True).locator("visible=true")
    return found.first if found.count() else page.get_by_label(label).locator("visible=true").first


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A fresh checkout in which `make demo` was run."""
    folder = tmp_path_factory.mktemp("tutorials")
    made = Checkout(_copy(folder / "demo"), 8000)
    if said := os.environ.get("INSIGHT_DEMO_SAID"):
        made.said = Path(said).read_text(encoding="utf-8")
        (made.folder / "var").mkdir()
        left = [path for path in (ROOT / "var").iterdir() if path.name not in OTHERS]
        subprocess.run(["cp", "-a", *left, made.folder / "var"], check=True)
    else:
        made.run(DEMO)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def checkout(demo: Checkout, request: pytest.FixtureRequest) -> Iterator[Checkout]:
    """The same with a port of its own, as `make demo` has left it."""
    folder = demo.folder.parent / request.node.callspec.params["name"]
    subprocess.run(["cp", "-a", demo.folder, folder], check=True)
    mine = Checkout(folder, free_port(), demo.said)
    yield mine
    mine.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def reader(checkout: Checkout) -> Iterator[Reader]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium")
    from playwright.sync_api import sync_playwright

    passwords = dict(re.findall(r"User (\S+), password (\S+)", checkout.said))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        pages = {}
        for language, locale in LOCALES.items():
            pages[language] = browser.new_context(locale=locale, viewport={"width": 1280, "height": 900}).new_page()
            pages[language].set_default_timeout(180_000)
        yield Reader(f"http://127.0.0.1:{checkout.port}", passwords, pages)
        browser.close()


@pytest.mark.parametrize("name", NAMES)
def test_tutorial__both_languages__share_their_blocks_and_steps(name: str) -> None:
    english, korean = steps(FOLDER / f"{name}.md"), steps(FOLDER / f"{name}.ko.md")

    assert blocks(FOLDER / f"{name}.md") == blocks(FOLDER / f"{name}.ko.md")
    assert [_shape(one) for one in english] == [_shape(one) for one in korean]
    assert blocks(FOLDER / f"{name}.md")[0].code == DEMO


@docs
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_tutorial__followed_from_a_fresh_checkout__comes_to_its_end(
    name: str, checkout: Checkout, reader: Reader
) -> None:
    pairs = zip(steps(FOLDER / f"{name}.md"), steps(FOLDER / f"{name}.ko.md"), strict=True)

    for english, korean in pairs:
        if isinstance(english, PageStep):
            assert isinstance(korean, PageStep)
            reader.do(english, korean)
        else:
            _do(checkout, english)


def _do(checkout: Checkout, block: Block) -> None:
    if block.title:
        (checkout.folder / block.title).write_text(block.code, encoding="utf-8")
    elif block.language == "text":
        _compare(block.code, checkout.said)
    elif block.background:
        checkout.leave_running(block.code, block.background)
    elif block.code != DEMO:  # which was run before
        checkout.run(block.code)


def _compare(promised: str, said: str) -> None:
    """Every line that the page promises was printed, in its order."""
    at = 0
    for line in promised.splitlines():
        pattern = r"[^\n]*?".join(
            re.escape(part) for part in re.split(r"\s*…\s*", re.sub(r"[ \t]+", " ", line.strip()))
        )
        found = re.compile(pattern.replace(r"\ ", r"\s+")).search(said, at)
        assert found, f"“{line}” isn't in what was printed:\n{said}"
        at = found.end()


def _shape(step: Block | PageStep) -> object:
    return (step.verb, step.what, len(step.labels)) if isinstance(step, PageStep) else step


def _copy(folder: Path) -> Path:
    """The files of this checkout, as `git clone` would give them, beside the packages that are installed here."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    for locked in ("requirements.txt", "requirements-dev.txt", "tools/setup.sh"):
        os.utime(folder / locked, (0, 0))  # older than `.venv/.ready`: the packages are there
    return folder
