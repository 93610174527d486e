"""The page that judges a finished test says of real files what `analyze_file` says, figure by figure."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from django.urls import reverse

from insight_site.exports.takeaway import as_json
from tests.experiments.from_file.make_judged import client_of, judged
from tests.make import analysis

pytestmark = pytest.mark.django_db
# Option of the command: field of the page.
FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "cookie cats, two shares": (
        "ab/cookie_cats.csv",
        "--unit userid --variant version --control gate_30 --outcome retention_7 --outcome retention_1",
        {
            "unit": "userid",
            "variant": "version",
            "control": "gate_30",
            "outcome": "retention_7",
            "more": ["retention_1"],
        },
    ),
    "hillstrom, three groups and a mean": (
        "ab/hillstrom.csv",
        "--variant segment --control No\xa0E-Mail --outcome spend --behaviour visit --covariate history",
        {
            "variant": "segment",
            "control": "No E-Mail",
            "outcome": "spend",
            "behaviour": "visit",
            "covariate": ["history"],
        },
    ),
    "sesame, an encouragement": (
        "iv/sesame.csv",
        "--variant encouraged --control 0 --outcome postlet --behaviour watched",
        {"variant": "encouraged", "control": "0", "outcome": "postlet", "behaviour": "watched"},
    ),
    "jtpa, a large encouragement": (
        "iv/jtpa.csv",
        "--variant assignmt --control 0 --outcome earnings --behaviour training",
        {"variant": "assignmt", "control": "0", "outcome": "earnings", "behaviour": "training"},
    ),
    "fast food, clusters": (
        "ab/fastfood_WA_Marketing-Campaign.csv",
        "--variant Promotion --control 1 --outcome SalesInThousands --cluster LocationID",
        {"variant": "Promotion", "control": "1", "outcome": "SalesInThousands", "cluster": "LocationID"},
    ),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_page__of_a_real_file__says_what_the_command_says(
    case: str, kind: str, real_data: Path, tmp_path: Path, settings: Any
) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"
    name, options, fields = FILES[case]
    path = real_data / name
    if kind == "parquet":
        path = tmp_path / f"{path.stem}.parquet"
        pd.read_csv(real_data / name).to_parquet(path)
    usual = dict.fromkeys(("unit", "behaviour", "segment", "cluster", "placebo"), "")
    client = client_of("PM")

    run = judged(client, path, **{**usual, **fields})

    assert run.status == "done", run.reason
    assert json.loads(as_json(run)) == analysis(path, *[one.replace("\xa0", " ") for one in options.split(" ")])
    assert client.get(reverse("experiments:judged", args=[run.pk])).status_code == 200


def test_page__of_sesame__shows_the_known_effect_of_the_behaviour(
    real_data: Path, tmp_path: Path, settings: Any
) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"
    _, _, fields = FILES["sesame, an encouragement"]
    run = judged(client_of("PM"), real_data / "iv/sesame.csv", **{"unit": "", "segment": "", "cluster": "", **fields})

    found = json.loads(as_json(run))["outcomes"][0]["comparisons"][0]["encouragement"]

    # README of the real data: Wald 7.9340, first stage 0.36244.
    assert found["effect"]["estimate"] == pytest.approx(7.9340, abs=5e-5)
    assert found["take_up"]["difference"] == pytest.approx(0.36244, abs=5e-6)
