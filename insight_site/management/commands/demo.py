"""`demo`: a simulated world with known truth, its finished experiment analysed, truth against found.

The world's experiment goes through `analyze_file`'s engine as a file, as a team's export would. The live loop (ingest,
discovery, assignment by a running experiment) joins when those parts of the product exist.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import translation
from django.utils.translation import gettext
from rich.table import Table as RichTable

from events.reasons import Refused, computable
from events.simulation import WORLDS, draw_arms, experiment_table, simulate, truth
from experiments import tables, words
from experiments.design import Covariate, Design
from experiments.document import document
from experiments.report import Report
from experiments.services.file_analysis import analyze_file
from insight_site.commands import console, refuse

UNITS = 20_000
SEED = 1
# Five points of retention among those whom the nudge moved: what this made-up team would act on.
MARGIN = 0.05
DESIGN = Design(
    variant="variant",
    control="control",
    outcomes=("retained",),
    unit="unit",
    segment="segment",
    behaviour="reached",
    covariates=(Covariate("platform"), Covariate("channel"), Covariate("country")),
    margin=MARGIN,
)


class Command(BaseCommand):
    help = "Make a seeded, simulated experiment, analyse it, and print truth against found and the pages to open."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--units", type=int, default=UNITS, help=f"users of the simulated world ({UNITS:,})")
        parser.add_argument("--seed", type=int, default=SEED, help=f"same seed, same world ({SEED})")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.VAR_DIR) / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            facts = self._make_world(folder, options["units"], options["seed"])
            report = analyze_file(folder / "experiment.csv", DESIGN)
            pages = self._write_pages(report, folder)
        except Refused as error:
            refuse(error)
        if options["json"]:
            self.stdout.write(json.dumps(_summary(report, facts, pages), allow_nan=False))
        else:
            self._print(report, facts, pages)

    def _make_world(self, folder: Path, units: int, seed: int) -> dict[str, Any]:
        import pyarrow.csv as pa_csv  # noqa: PLC0415 - only the demo writes CSV

        self.stderr.write(f"demo: simulating the world 'step' with {units:,} users (seed {seed})")
        world = WORLDS["step"]
        try:
            simulation = simulate(world, units, seed, draw_arms(world, units, seed))
        except ValueError as error:
            raise Refused(f"--{error}") from None
        pa_csv.write_csv(experiment_table(simulation), folder / "experiment.csv")
        return truth(simulation)

    def _write_pages(self, report: Report, folder: Path) -> list[Path]:
        from insight_site.file_report import file_report  # noqa: PLC0415 - charts cost a second to import

        self.stderr.write("demo: writing the report in English and Korean")
        pages = []
        for language, name in (("en", "report.html"), ("ko", "report.ko.html")):
            with translation.override(language):
                (folder / name).write_text(file_report(report), encoding="utf-8")
            pages.append(folder / name)
        return pages

    def _print(self, report: Report, facts: dict[str, Any], pages: list[Path]) -> None:
        out = console(self.stdout)
        table = RichTable(title=gettext("Truth against found"), title_justify="left")
        for heading in (
            gettext("quantity"),
            gettext("truth"),
            gettext("found"),
            gettext("interval or set (level 0.95)"),
        ):
            table.add_column(heading, overflow="fold")
        for row in _rows(report, facts):
            table.add_row(*row)
        out.print(table)
        out.print(f"{report.verdict.code}: {words.verdict_sentence(report.verdict, gettext)}", markup=False)
        out.print(gettext("Open:"), markup=False)
        for page in pages:
            out.print(f"  {page}", markup=False, soft_wrap=True)


def _rows(report: Report, facts: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Truth beside found, in points of a share."""
    comparison = report.outcomes[0].comparisons[0]
    found, difference = comparison.encouragement, comparison.difference

    def points(value: float) -> str:
        return words.effect_text(value, share=True, gettext=gettext)

    rows = []
    if computable(difference):
        limits = f"{points(difference.low)} … {points(difference.high)}"
        nudge = gettext("Effect of the nudge (intention to treat)")
        rows.append((nudge, points(facts["itt"]), points(difference.estimate), limits))
    if found is None or not computable(found.take_up) or not computable(found.effect):
        return rows
    moved = facts["take_up"]["nudge"] - facts["take_up"]["control"]
    limits = f"{points(found.take_up.low)} … {points(found.take_up.high)}"
    rows.append((gettext("Moved by the nudge (first stage)"), points(moved), points(found.take_up.difference), limits))
    limits = tables.set_text(found.effect_set, share=True, gettext=gettext)
    effect = points(found.effect.estimate)
    rows.append((gettext("Effect among the moved (Wald)"), points(facts["effect"]), effect, limits))
    if computable(found.as_treated):
        rows.append((gettext("What the correlation promised"), "", points(found.as_treated), ""))
    return rows


def _summary(report: Report, facts: dict[str, Any], pages: list[Path]) -> dict[str, Any]:
    """The JSON of DESIGN.md §8. The moment is the world's own: it was given to the analysis, not searched."""
    found = document(report, gettext)["outcomes"][0]["comparisons"][0]["encouragement"]
    return {
        "moment": facts["moment"],
        "truth": {"moment": facts["moment"], "effect": facts["effect"]},
        "found": {
            "effect": {**found["effect"], "anderson_rubin": found["anderson_rubin"]},
            "naive": found["as_treated"],
        },
        "verdict": document(report, gettext)["verdict"],
        "pages": [str(page) for page in pages],
    }
