"""The demo's result, truth beside estimate: a table, the JSON of `demo --json`, report files, pages to open."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.translation import gettext

from aha.evidence.findings import Definition, PastExperiments, summary
from aha.evidence.store_findings import past_experiments
from aha.report.past import summary_document
from events.simulation import truth
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Opened
from experiments.report.document import document
from experiments.report.estimates import set_text
from insight_site.demo.loop import Made
from insight_site.demo.whose_site import SEGMENTS, events_folder
from insight_site.exports.file_report import file_report
from insight_site.exports.pictures import draw_run
from reporting.numbers import between, effect_text
from reporting.words import days_words, times_words
from runs.models import Run
from segments.models import SegmentationRun
from stats.results import computable

Row = tuple[str, str, str, str]
# All charts of each page that the demo leads to, and of a study also those of its first candidate: who opens them
# before a worker has begun sees no placeholder.
STUDY_CHARTS = 14
LANGUAGES = {"en": "report.html", "ko": "report.ko.html"}


class Findings:
    """Estimates of the loop, with the true values."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.facts = truth(made.new.world)
        readout = READOUT.of(made.analysis)
        if not isinstance(readout, Opened):
            raise ValueError("the demo's experiment has no final analysis")
        self.readout = readout
        self.report = readout.report

    @property
    def moment(self) -> dict[str, Any]:
        """The moment as the study found it."""
        row = self.made.moment
        return {"behaviour": row.behaviour, "times": row.times, "days": row.days}

    @property
    def naive(self) -> Any:
        """The study's correlational estimate: retention of users who reached the moment minus that of the others."""
        claim = self.readout.plan.claim
        if claim is None or claim.promised is None:
            return {"not_computable": gettext("The study's candidate has no raw difference.")}
        return claim.promised

    @property
    def past(self) -> PastExperiments:
        """The combined evidence of the experiment and the past tests."""
        moment = self.made.moment
        return past_experiments(Definition(moment.behaviour, moment.times, moment.days, moment.retention))

    def document(self) -> dict[str, Any]:
        """The JSON of `demo --json`, which other programs read."""
        whole = document(self.report)
        comparison = whole["outcomes"][0]["comparisons"][0]
        effect = (comparison["encouragement"] or {}).get("effect", {})
        sets = (comparison["encouragement"] or {}).get("anderson_rubin")
        return {
            "moment": self.moment,
            "truth": {name: self.facts[name] for name in ("moment", "effect", "itt", "take_up")},
            "found": {
                "effect": {**effect, "anderson_rubin": sets},
                "naive": self.naive,
                "itt": comparison["difference"],
                "take_up": (comparison["encouragement"] or {}).get("take_up"),
                "past_experiments": summary_document(summary(self.past)),
            },
            "verdict": whole["verdict"],
            "pages": self.pages(),
        }

    def rows(self) -> list[Row]:
        """Rows of quantity, truth, estimate, interval or set; in percentage points."""
        comparison = self.report.outcomes[0].comparisons[0]
        encouragement, difference = comparison.encouragement, comparison.difference
        rows = [self._moment_row()]
        if computable(difference):
            limits = between(_points(difference.low), _points(difference.high))
            nudge = gettext("Effect of the nudge (intention to treat)")
            rows.append((nudge, _points(self.facts["itt"]), _points(difference.estimate), limits))
        if encouragement is None or not computable(encouragement.take_up) or not computable(encouragement.effect):
            return rows
        moved = self.facts["take_up"]["nudge"] - self.facts["take_up"]["control"]
        limits = between(_points(encouragement.take_up.low), _points(encouragement.take_up.high))
        stage = gettext("Did it because of the nudge (first stage)")
        rows.append((stage, _points(moved), _points(encouragement.take_up.difference), limits))
        limits = set_text(encouragement.effect_set, share=True)
        effect = _points(encouragement.effect.estimate)
        rows.append((gettext("Effect of the behaviour (Wald)"), _points(self.facts["effect"]), effect, limits))
        return [*rows, *self._promise_row()]

    def pages(self) -> list[str]:
        """Addresses of pages as `make serve` serves them; the first one needs no login."""
        site = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
        made = self.made
        segments = reverse("segments:list") if made.notes else reverse("segments:model", args=[SEGMENTS[0]])
        addresses = [
            reverse("demo_report", args=["en"]),
            _report_page(made.experiment.key, made.experiment.pk),
            reverse("aha:study", args=[made.study.pk]),
            reverse("aha:moment", args=[made.moment.key]),
            segments,
            _report_page(made.lab.key, made.lab.pk),
            _report_page(made.second.key, made.second.pk),
        ]
        return [site + page for page in addresses]

    def write_files(self) -> None:
        """Write the report as one file per language, which the site shows without a login."""
        folder = (events_folder() or Path(settings.VAR_DIR) / "events").parent / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        for language, name in LANGUAGES.items():
            with translation.override(language):
                (folder / name).write_text(file_report(self.report), encoding="utf-8")

    def draw_pictures(self) -> None:
        """Draw the charts of each of `pages`, in every language; a worker draws those of a study's other candidates."""
        made = self.made
        groups = SegmentationRun.objects.filter(status=Run.Status.DONE).first()
        others = [one.analyses.filter(status=Run.Status.DONE).first() for one in (made.lab, made.second)]
        for run in (made.study, made.analysis, groups, *others):
            if run is not None:
                draw_run(run._meta.label, run.pk, first=STUDY_CHARTS if run == made.study else None)

    def _moment_row(self) -> Row:
        true, estimate = self.facts["moment"], self.moment
        text = gettext("{behaviour}, {times} within {days}")
        words = [
            text.format(
                behaviour=moment["behaviour"], times=times_words(moment["times"]), days=days_words(moment["days"])
            )
            for moment in (true, estimate)
        ]
        return gettext("AHA moment"), words[0], words[1], ""

    def _promise_row(self) -> list[Row]:
        claim = self.readout.plan.claim
        if claim is None or claim.promised is None:
            return []
        low, high = claim.promised_low, claim.promised_high
        limits = "" if low is None or high is None else between(_points(low), _points(high))
        return [(gettext("Predicted by the correlation"), "", _points(claim.promised), limits)]


def _points(value: float) -> str:
    return effect_text(value, share=True)


def _report_page(key: str, pk: int) -> str:
    """The experiment's report; its admin page where the site has no report page."""
    try:
        return reverse("experiments:report", args=[key])
    except NoReverseMatch:
        return reverse("admin:experiments_experiment_change", args=[pk])
