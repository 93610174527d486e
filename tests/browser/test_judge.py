"""A finished test, from its file to the pooled evidence on its behaviour: by mouse alone, by keyboard alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from aha.evidence.store_findings import pool_behaviour
from aha.models import AhaMoment
from events.models import Upload
from experiments.models import FinishedTest
from tests.browser.person import Keyboard, Mouse
from tests.browser.worker import worker
from tests.experiments.stored import MOMENT
from tests.make import csv_file
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
COLUMNS = re.compile(r"/experiments/-/judge/[0-9a-f-]{36}/$")
JUDGED = re.compile(r"/experiments/-/judge/tests/\d+/$")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, settings: Settings) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"


def a_test(folder: Path) -> Path:
    """6,000 users with Korean names of columns, in the encoding of Korean Excel."""
    rng, n = np.random.default_rng(7), 6_000
    nudge = np.arange(n) % 2
    did = (rng.random(n) < 0.2 + 0.3 * nudge).astype(int)
    path = csv_file(
        folder,
        {
            "사용자ID": [f"u{place}" for place in range(n)],
            "실험그룹": np.where(nudge, "실험군", "대조군").tolist(),
            "친구추가 여부": did.tolist(),
            "리텐션": (rng.random(n) < 0.3 + 0.2 * did).astype(int).tolist(),
        },
        "배너.csv",
    )
    path.write_bytes(path.read_text("utf-8").encode("cp949"))
    return path


@pytest.mark.parametrize(("kind", "language"), first_in_ci([(Keyboard, "ko"), (Mouse, "en")]))
def test_finished_file__judged_and_added__counts_among_past_experiments(
    open_page: Callable[..., Any], pm: User, tmp_path: Path, kind: Any, language: str
) -> None:
    AhaMoment.objects.create(**MOMENT)
    page = open_page(language, pm)
    page.set_default_timeout(60_000)  # a worker starts beside it
    page.set_viewport_size({"width": 1280, "height": 800})
    person = kind(page)

    with worker(tmp_path):
        page.goto("/experiments/")
        person.press(".title a[href='/experiments/-/judge/']")
        page.wait_for_url("**/experiments/-/judge/")
        with page.expect_file_chooser() as chooser:
            person.press("#id_file")
        chooser.value.set_files(a_test(tmp_path))
        person.press("#upload-form button[type=submit]")
        page.wait_for_url(COLUMNS)
        heads = page.locator(".kept th").all_inner_texts()
        person.press(".mapping .start button[type=submit]")
        page.wait_for_url(JUDGED)
        page.locator("#summary").wait_for(timeout=120_000)
        effect = page.locator("#summary .delta").inner_text()
        person.press("a[href$='/add/']")
        page.wait_for_url("**/add/")
        page.locator("#id_moment").select_option("friends")
        page.locator("#id_first").fill("2026-01-01")
        page.locator("#id_last").fill("2026-02-01")
        person.press("form .actions button[type=submit]")
        page.locator("#past").wait_for()

    run = FinishedTest.objects.get()
    assert [head.split()[0] for head in heads] == ["사용자ID", "실험그룹", "친구추가", "리텐션"]
    assert run.payload is not None
    estimate = run.payload["outcomes"][0]["comparisons"][0]["difference"]["estimate"]
    assert effect.startswith(f"+{100 * estimate:.1f}")
    assert run.verdict == "CAUSES"
    assert not Upload.objects.exists()
    assert [row.source for row in pool_behaviour("friend_add").used] == [run.kept_as] == ["배너"]
    page.goto("/aha/moments/friends/?tab=evidence")
    assert "배너" in page.locator("main").inner_text()
