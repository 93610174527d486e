"""Screenshots of the main pages in both languages: `python -m tools.screenshots`.

It drives Chromium against a running site (`--url`, with an account) or, by default, against a server that it starts on
the data of this checkout. Each page is one line of `PAGES`; a page without its data is reported and skipped. PNGs are
cropped at `HEIGHT` and reduced to a palette, so that each stays below `MOST_BYTES`.
"""

import argparse
import base64
import os
import shutil
import struct
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "screenshots"
WIDTH = 1200  # pixels of the stored picture
ADMIN_WIDTH = 1320  # the admin shows its menu from 1280 on
HEIGHT = 1500  # pixels of page that are shown; the rest is cropped
TOP = 820  # for a page whose picture is on a first screen
MOST_BYTES = 150_000
MOST_WAIT = 60_000  # milliseconds
LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass(frozen=True)
class Page:
    """A page to photograph.

    Attributes:
        name: file name, without language and extension.
        path: its address; ``{pk}`` or ``{key}`` is filled in from the row of `needs`.
        needs: ``app.Model``, with a status and the kind of an experiment behind colons; the latest such row is used. ""
            for none.
        account: whether it needs a login.
        width: of the window, unless given on the command line.
        height: maximum height in pixels.
    """

    name: str
    path: str
    needs: str = ""
    account: bool = True
    width: int = WIDTH
    height: int = HEIGHT


PLAN = "/experiments/{key}/plan"
TABS = ("health", "plan", "setup", "history")
STEPS = ("hypothesis", "variants", "audience", "outcomes", "plan", "review")
VIEWS = ("retention", "activity", "times", "lifecycle", "funnel")
PAGES: tuple[Page, ...] = (
    Page("login", "/login/", account=False),
    Page("home", "/"),
    Page("data", "/data/"),
    Page("events", "/data/events/"),
    Page("event", "/data/event/?name=signup"),
    Page("import", "/data/import/"),
    Page("connect", "/data/connect/"),
    *(Page(f"explore-{view}", f"/explore/{view}/") for view in VIEWS),
    Page("these-users", "/explore/retention/users/?signup_event=signup&retention=on_day%3A7&day_mode=rolling"),
    Page("segments", "/segments/"),
    Page("segmentation", "/segments/runs/{pk}/", "segments.SegmentationRun:done"),
    Page("segment-model", "/segments/models/{key}/", "segments.SegmentModel"),
    Page("segment-rule", "/segments/rules/new/"),
    Page("studies", "/aha/studies/"),
    Page("new-study", "/aha/studies/new/"),
    Page("study", "/aha/studies/{pk}/", "aha.Study:done"),
    Page("candidate", "/aha/studies/{pk}/candidates/1/", "aha.Study:done"),
    Page("moments", "/aha/moments/"),
    Page("moment", "/aha/moments/{key}/", "aha.AhaMoment:confirmed"),
    Page("experiments", "/experiments/"),
    Page("experiment", "/experiments/{key}/", "experiments.Experiment:stopped:test"),
    Page("experiment-top", "/experiments/{key}/", "experiments.Experiment:stopped:test", height=TOP),  # for the README
    Page("memo", "/experiments/{key}/memo/", "experiments.Experiment:stopped:test"),
    Page("calendar", "/experiments/-/calendar/"),
    Page("six-weeks", "/experiments/-/six-weeks/?show"),
    Page("judge", "/experiments/-/judge/"),
    Page("experiment-running", "/experiments/{key}/", "experiments.Experiment:running:test"),
    *(Page(f"experiment-{tab}", f"/experiments/{{key}}/{tab}/", "experiments.Experiment:running:test") for tab in TABS),
    Page("experiment-rollout", "/experiments/{key}/rollout/", "experiments.Rollout"),
    Page("metrics", "/data/metrics/"),
    *(
        Page(f"plan-{place}-{step}", f"{PLAN}/{step}/", "experiments.Experiment:draft:test")
        for place, step in enumerate(STEPS, 1)
    ),
    Page("lab", "/experiments/{key}/", "experiments.Experiment:stopped:lab"),
    Page("lab-plan", "/experiments/{key}/plan/", "experiments.Experiment:stopped:lab"),
    Page("peek", "/experiments/{key}/peek/", "experiments.Experiment:running:test"),
    Page("calibration", "/experiments/-/calibration/"),
    Page("glossary", "/glossary/"),
    Page("method", "/methods/encouragement/"),
    Page("admin", "/admin/", width=ADMIN_WIDTH),
)


def main() -> int:
    """Photograph every page; 0 if none was skipped."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = [(page, _path(page)) for page in _chosen(options.only)]
    with _site(options.url) as url, _browser() as browser:
        for language in options.languages:
            for scheme in options.schemes:
                context = _context(browser, url, language, scheme)
                page = context.new_page()
                page.set_default_timeout(MOST_WAIT)
                for shown, path in sorted(chosen, key=lambda each: each[0].account):
                    if path is None:
                        continue
                    if shown.account:
                        _log_in(page, options.user, options.password)
                    name = f"{shown.name}.{language}{'' if scheme == 'light' else '.dark'}.png"
                    page.set_viewport_size({"width": options.width or shown.width, "height": 900})
                    size = _photograph(page, path, options.out / name, min(shown.height, options.height))
                    sys.stdout.write(f"{name} {size:,} bytes\n")
                context.close()
    missing = [page for page, path in chosen if path is None]
    for page in missing:
        sys.stderr.write(f"left out, {page.name}: there is no {page.needs} here\n")
    return 1 if missing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--url", default="", help="a running site; by default one is started over this checkout's data")
    add("--user", default=os.environ.get("INSIGHT_USER", "pm"), help="who logs in (pm, or INSIGHT_USER)")
    add("--password", default=os.environ.get("INSIGHT_PASSWORD", ""), help="better: INSIGHT_PASSWORD")
    add("--out", type=Path, default=OUT, help="folder of the pictures (docs/screenshots)")
    add("--only", nargs="*", default=[], metavar="NAME", help="some pages alone")
    add("--languages", nargs="*", default=list(LANGUAGES), choices=list(LANGUAGES))
    add("--schemes", nargs="*", default=["light"], choices=["light", "dark"])
    add("--width", type=int, default=0, help=f"width of the window in pixels ({WIDTH}, {ADMIN_WIDTH} in the admin)")
    add("--height", type=int, default=HEIGHT, help="pixels of page shown; 0 for all")
    return parser.parse_args()


def _chosen(only: list[str]) -> list[Page]:
    if unknown := set(only) - {page.name for page in PAGES}:
        raise SystemExit(f"there is no page {', '.join(sorted(unknown))}")
    return [page for page in PAGES if not only or page.name in only]


@contextmanager
def _site(url: str) -> Iterator[str]:
    """The site's address; a server started here is stopped at the end."""
    if url:
        yield url
        return
    address = "127.0.0.1:8797"
    command = [sys.executable, "manage.py", "runserver", "--noreload", address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(f"http://{address}/healthz")
            yield f"http://{address}"
        finally:
            server.terminate()


def _wait(url: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"{url} did not answer")


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the rest works without it, for --help

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("Chromium is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def _context(browser: Any, url: str, language: str, scheme: str) -> Any:
    return browser.new_context(base_url=url, locale=LANGUAGES[language], color_scheme=scheme)


def _path(page: Page) -> str | None:
    """The page's address, or None if its row doesn't exist."""
    if not page.needs:
        return page.path
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    import django  # noqa: PLC0415 - --help works without
    from django.apps import apps  # noqa: PLC0415

    django.setup()
    label, *given = page.needs.split(":")
    wanted = dict(zip(("status", "kind"), given, strict=False))
    row = apps.get_model(label).objects.filter(**wanted).order_by("-pk").first()
    if row is None:
        return None
    named = getattr(row, "experiment", row)  # an analysis is shown on the page of its experiment
    return page.path.format(pk=row.pk, key=getattr(named, "key", ""))


def _log_in(page: Any, user: str, password: str) -> None:
    if any(cookie["name"] == "sessionid" for cookie in page.context.cookies()):
        return
    page.goto("/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.locator("main button[type=submit]").click()
    page.wait_for_load_state("networkidle")
    if not any(cookie["name"] == "sessionid" for cookie in page.context.cookies()):
        raise SystemExit(f"{user} could not log in; INSIGHT_USER and INSIGHT_PASSWORD name the account")


def _photograph(page: Any, path: str, file: Path, height: int) -> int:
    answer = page.goto(path)
    if answer is None or answer.status != 200:
        raise SystemExit(f"{path} answered {answer and answer.status}")
    for place in range(page.locator("img[loading=lazy]").count()):
        page.locator("img[loading=lazy]").nth(place).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.locator("[aria-busy=true]").first.wait_for(state="detached", timeout=MOST_WAIT)  # what is still computed
    page.evaluate(UNSTICK)  # it would cover the picture
    page.evaluate("window.scrollTo(0, 0)")
    file.write_bytes(_small(page, page.screenshot(full_page=True), height))
    return file.stat().st_size


UNSTICK = "document.querySelectorAll('.actions.sticky').forEach(bar => { bar.style.position = 'static' })"
PIXELS = """async ([content, height]) => {
  const blob = await (await fetch("data:image/png;base64," + content)).blob();
  const image = await createImageBitmap(blob);
  const rows = height ? Math.min(height, image.height) : image.height;
  const canvas = new OffscreenCanvas(image.width, rows);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const bytes = drawing.getImageData(0, 0, image.width, rows).data;
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return [image.width, rows, btoa(text)];
}"""


def _small(page: Any, content: bytes, height: int) -> bytes:
    """Crop to `height` pixels; use as many colours as fit into MOST_BYTES. The browser decodes its screenshot."""
    import numpy as np  # noqa: PLC0415 - as above

    blank = page.context.new_page()  # the site's own policy forbids to load a data: address
    width, rows, text = blank.evaluate(PIXELS, [base64.b64encode(content).decode(), height])
    blank.close()
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(rows, width, 4)[:, :, :3].astype(np.int32)
    coarse = (pixels >> 3) @ np.array([1024, 32, 1])  # five bits per channel
    names, first, place, often = np.unique(coarse, return_index=True, return_inverse=True, return_counts=True)
    exact = pixels.reshape(-1, 3)[first]
    found = b""
    for colours in (160, 96, 48, 24, 12):
        kept = exact[np.argsort(-often)[:colours]]
        near = ((exact[:, None, :] - kept[None, :, :]) ** 2).sum(axis=2).argmin(axis=1).astype(np.uint8)
        found = _png(near[place].reshape(rows, width), kept.astype(np.uint8))
        if not height or len(found) <= MOST_BYTES or len(names) <= colours:
            return found
    return found


def _png(places: Any, palette: Any) -> bytes:
    """An 8-bit palette PNG (W3C PNG, third edition, sections 5 and 11.2)."""
    rows, width = places.shape
    lines = b"".join(b"\0" + line.tobytes() for line in places)
    pieces = [
        (b"IHDR", struct.pack(">IIBBBBB", width, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    made = (struct.pack(">I", len(b)) + name + b + struct.pack(">I", zlib.crc32(name + b)) for name, b in pieces)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


if __name__ == "__main__":
    raise SystemExit(main())
