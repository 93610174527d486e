"""Pages of finished tests: upload the file, confirm its columns, read the report, add it to past experiments."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aha.evidence.findings import Definition
from aha.evidence.store_findings import past_experiments
from aha.made_names import moment_name
from aha.models import AhaMoment, Finding
from aha.report import past
from events.importing import uploads
from events.importing.text_reading import ENCODINGS, Sample
from events.models import Upload
from events.pickers.fields import Combobox
from experiments.analyse.codes import Code, code_words
from experiments.analyse.effects import Report
from experiments.files import judge
from experiments.files.analyze import design_of, refuse_options
from experiments.files.guess import Guess, guess_columns, labels_of
from experiments.files.import_experiment import refuse_design, told_of
from experiments.files.judge import COLUMNS, FILE_REPORT, First
from experiments.models import FinishedTest
from experiments.plan.design import Covariate, Design
from experiments.report import file_page
from experiments.report import summary as first_screen
from experiments.report.definitions import definitions
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import is_htmx, may, person, progress_of

PERMISSION = "experiments.add_finishedtest"
ADDING = "aha.add_finding"
LATEST = 20
ROWS = 10
MOST_COLUMNS = 60  # of the first rows; all of them can be chosen


class ColumnsForm(forms.Form):
    """What the columns of a finished test mean. Columns are chosen by their place: a name may contain anything."""

    variant = forms.ChoiceField(label=_("Group"), help_text=_("The column that says which group each user was in."))
    control = forms.CharField(
        label=_("Control group"),
        max_length=200,
        help_text=_("How the column names the users who got nothing new."),
        widget=forms.TextInput(attrs={"list": "labels", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), help_text=_("0 or 1 is a share, for example who stayed; other numbers are averaged.")
    )
    behaviour = forms.ChoiceField(
        label=_("Behaviour"),
        required=False,
        help_text=_("0 or 1: did the user do what the nudge was about? Then you learn whether it is the cause."),
    )
    unit = forms.ChoiceField(
        label=_("User"), required=False, help_text=_("The column of the user's id. Without it each row is a user.")
    )
    segment = forms.ChoiceField(
        label=_("Segment"), required=False, help_text=_("Known before the test; the effect is shown inside each.")
    )
    cluster = forms.ChoiceField(
        label=_("Cluster"), required=False, help_text=_("Where whole classes, teams or households got one group.")
    )
    covariate = forms.MultipleChoiceField(
        label=_("Traits known before the test"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Never what happened during the test. They make the interval narrower."),
    )
    category = forms.MultipleChoiceField(
        label=_("Traits whose numbers are names"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Codes such as a region's number. Texts are names anyway."),
    )
    adjusted = forms.BooleanField(
        label=_("The verdict rests on the comparison adjusted for these traits"), required=False
    )
    more = forms.MultipleChoiceField(label=_("Further outcomes"), required=False, widget=forms.CheckboxSelectMultiple)
    other = forms.MultipleChoiceField(
        label=_("Other behaviours"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("0 or 1: what the nudge may have moved, too. Then you learn whether one of them may be the cause."),
    )
    other_promise = forms.CharField(
        label=_("Largest effect of these on the outcome"),
        max_length=2000,
        required=False,
        help_text=_("For example chat=0.18: it keeps at most 18 of 100. Without it, the gap in the control group."),
    )
    consequence = forms.MultipleChoiceField(
        label=_("Of these, consequences of the behaviour"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the behaviour itself leads to is part of how it works."),
    )
    placebo = forms.CharField(
        label=_("Placebo group"), max_length=200, required=False, widget=forms.TextInput(attrs={"list": "labels"})
    )
    ratio = forms.CharField(
        label=_("Planned split"),
        max_length=2000,
        required=False,
        help_text=_("For example control=0.5, nudge=0.5. Without it the groups should be equally large."),
    )
    alpha = forms.FloatField(label=_("False alarm rate"), help_text=_("0.05 is 5 in 100 tests without an effect."))
    margin = forms.FloatField(
        label=_("Smallest effect of interest"),
        required=False,
        help_text=_("In the outcome's unit: 0.01 is one point of a share."),
    )
    low = forms.FloatField(label=_("What the nudge may do by itself: from"), required=False)
    high = forms.FloatField(label=_("What the nudge may do by itself: to"), required=False)
    nudge_cost = forms.FloatField(
        label=_("Cost of nudging one user"), required=False, help_text=_("In the outcome's unit.")
    )

    MAIN = ("variant", "control", "outcome", "behaviour", "unit")
    TRAITS = ("segment", "cluster", "covariate", "category", "adjusted")
    OPTIONS = (
        "more",
        "other",
        "other_promise",
        "consequence",
        "placebo",
        "ratio",
        "alpha",
        "margin",
        "low",
        "high",
        "nudge_cost",
    )

    def __init__(self, sample: Sample, start: Any, data: Any = None) -> None:
        super().__init__(data, initial=start)
        self.sample = sample
        self.design: Design | None = None
        columns = [(str(place), name) for place, name in enumerate(sample.columns)]
        for name in ("variant", "outcome"):
            _choose(self, name, [("", gettext("choose a column")), *columns])
        for name in ("behaviour", "segment", "cluster"):
            _choose(self, name, [("", gettext("none")), *columns])
        _choose(self, "unit", [("", gettext("none: each row is a user")), *columns])
        for name in ("covariate", "category", "more", "other", "consequence"):
            _choose(self, name, columns)

    def clean(self) -> dict[str, Any]:
        """Make the design as the command does from its options, and say what is wrong with it at its field."""
        data = super().clean() or {}
        if not self.errors:
            try:
                design = replace(design_of(self._options(data)), nudge_cost=data["nudge_cost"] or 0.0)
                refuse_options(design)
            except Refused as refusal:
                self.add_error(None, in_form_words(refusal.sentence))
            else:
                self.design = design
        return data

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of groups in the first rows of the chosen column."""
        column = self._name(self["variant"].value())
        return labels_of(self.sample, column) if column else ()

    @property
    def roles(self) -> dict[str, str]:
        """What the main columns are, by their names: for the head of the first rows."""
        fields = ("variant", "outcome", "behaviour", "unit", "segment", "cluster")
        return {self._name(self[name].value()): str(self.fields[name].label) for name in fields}

    def main(self) -> list[forms.BoundField]:
        """The fields that every test needs."""
        return [self[name] for name in self.MAIN]

    def traits(self) -> list[forms.BoundField]:
        """Segment, cluster and traits."""
        return [self[name] for name in self.TRAITS]

    def options(self) -> list[forms.BoundField]:
        """What a plan would have fixed."""
        return [self[name] for name in self.OPTIONS]

    def opened(self, names: tuple[str, ...]) -> bool:
        """Whether these fields have an error or a value, so that they shouldn't be folded away."""
        return any(self[name].errors or (name != "alpha" and self[name].value()) for name in names)

    @property
    def traits_open(self) -> bool:
        """Whether the traits are shown at once."""
        return self.opened(self.TRAITS)

    @property
    def options_open(self) -> bool:
        """Whether the options are shown at once."""
        return self.opened(self.OPTIONS)

    def _options(self, data: dict[str, Any]) -> dict[str, Any]:
        """The form as options of `analyze_file`."""
        names = {name: self._name(data[name]) or None for name in ("unit", "segment", "behaviour", "cluster")}
        ends = [data["low"], data["high"]]
        if (ends[0] is None) != (ends[1] is None):
            raise Refused("What the nudge may do by itself has two ends: give both, or none.")
        categories = {self._name(place) for place in data["category"]}
        covariates = [self._name(place) for place in data["covariate"]]
        covariates += sorted(categories - set(covariates))
        return {
            **names,
            "variant": self._name(data["variant"]),
            "control": data["control"],
            "outcome": [self._name(data["outcome"]), *(self._name(place) for place in data["more"])],
            "covariate": [f"{name}:category" if name in categories else name for name in covariates],
            "other": [self._name(place) for place in data["other"]],
            "other_promise": [text.strip() for text in data["other_promise"].split(",") if text.strip()],
            "consequence": [self._name(place) for place in data["consequence"]],
            "ratio": [text.strip() for text in data["ratio"].split(",") if text.strip()],
            "alpha": data["alpha"],
            "margin": data["margin"],
            "direct_effect": None if ends[0] is None else ends,
            "placebo": data["placebo"] or None,
            "primary": "adjusted" if data["adjusted"] else "unadjusted",
        }

    def _name(self, place: Any) -> str:
        names = self.sample.columns
        return names[int(place)] if str(place).isdecimal() and int(place) < len(names) else ""


class PastForm(forms.Form):
    """Facts about a finished test that its file doesn't contain."""

    name = forms.CharField(label=_("Name of the test"), max_length=200, help_text=_("What people call it."))
    moment = forms.ChoiceField(label=_("AHA moment"), required=False)
    behaviour = forms.CharField(
        label=_("Another behaviour"),
        max_length=400,
        required=False,
        widget=Combobox("behaviour"),
        help_text=_("Only without an AHA moment: the event that users did."),
    )
    times = forms.IntegerField(label=_("At least so many times"), min_value=1, required=False)
    days = forms.IntegerField(label=_("Within so many days"), min_value=1, required=False)
    outcome = forms.CharField(
        label=_("What the outcome was"),
        max_length=400,
        required=False,
        help_text=_("As in a plan: window:21-27 is retention on days 21 to 27. Empty for the moment's retention."),
    )
    first = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last = forms.DateField(label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    promised = forms.FloatField(
        label=_("What a correlation had promised"),
        required=False,
        help_text=_("A difference in the outcome: 0.1 is 10 points. Empty if nobody said one."),
    )
    MAIN = ("name", "moment", "first", "last")
    FIELDS = {"behaviour-key": "behaviour", "outcome-spec": "outcome", "to": "last", "from": "first", "name": "name"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        moments = [(row.key, moment_name(row.name, row)) for row in AhaMoment.objects.light().order_by("name")]
        _choose(self, "moment", [("", gettext("none: another behaviour")), *moments])

    def main(self) -> list[forms.BoundField]:
        """The fields that a test on an AHA moment needs."""
        return [self[name] for name in self.MAIN]

    def other(self) -> list[forms.BoundField]:
        """The fields of another behaviour, and of what differs from the moment."""
        return [self[name] for name in self.fields if name not in self.MAIN]

    @property
    def other_open(self) -> bool:
        """Whether those are shown at once: where there is no moment, or one of them was filled in."""
        alone = len(self.fields["moment"].choices) == 1  # type: ignore[attr-defined]
        return alone or any(field.errors or field.value() for field in self.other())

    def clean(self) -> dict[str, Any]:
        """A moment or a behaviour is needed."""
        data = super().clean() or {}
        if not data.get("moment") and not data.get("behaviour"):
            self.add_error("moment", gettext("Choose the AHA moment that the test was about, or name a behaviour."))
        return data


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def choose_test(request: HttpRequest) -> HttpResponse:
    """Choose a file, or open a test judged before; POST (from upload.js) creates the upload."""
    if request.method == "POST":
        size = request.POST.get("size", "")
        number = int(size) if size.isdecimal() and len(size) < 20 else 0
        try:
            name = request.POST.get("name", "")
            upload = uploads.begin_upload(name=name, size=number, by=person(request), page=COLUMNS)
        except Refused as refusal:
            return JsonResponse({"error": refusal.sentence}, status=422)
        return JsonResponse({"pieces": reverse("events:import_piece", args=[upload.key]), "bytes": uploads.PIECE_BYTES})
    waiting = [
        row for row in Upload.objects.filter(page=COLUMNS).select_related("created_by") if not uploads.is_read(row)
    ]
    latest = FinishedTest.objects.light("created_by")[:LATEST]
    rows = [(row, code_words(Code(row.verdict)) if row.verdict else "") for row in latest]
    return render(request, "experiments/judge.html", {"waiting": waiting, "latest": rows})


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: HttpRequest, key: UUID) -> HttpResponse:
    """The columns as guessed, with the first rows; a submitted form starts the analysis."""
    upload = get_object_or_404(Upload.objects.exclude(stored_as=""), key=key, page=COLUMNS)
    encoding = request.GET.get("encoding", "")
    before = judge.last_choice(upload)
    try:
        usual = before.reading.encoding if before is not None else ""
        first = judge.first_rows(upload, encoding if encoding in ENCODINGS else usual)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        if refusal.at == "encoding":
            return redirect("experiments:judge_columns", key=key)
        uploads.remove_upload(upload)  # no choice on the page can make a table of it
        return redirect("experiments:judge")
    start = _start(first.sample, None if before is None else before.design)
    form = ColumnsForm(first.sample, start, request.POST if request.method == "POST" else None)
    if request.method == "POST" and not is_htmx(request) and form.is_valid() and form.design is not None:
        try:
            row = judge.start_judging(upload=upload, design=form.design, reading=first.reading, by=person(request))
        except Refused as refusal:
            form.add_error(None, in_form_words(refusal.sentence))
        else:
            return redirect("experiments:judged", pk=row.pk)
    template = "experiments/judge_labels.html" if is_htmx(request) else "experiments/judge_columns.html"
    return render(request, template, {"upload": upload, "form": form, **_table(first, form)})


@login_required
@may(PERMISSION)
@require_POST
def remove_test(request: HttpRequest, key: UUID) -> HttpResponse:
    """Remove an uploaded file that isn't being judged."""
    upload = get_object_or_404(Upload, key=key, page=COLUMNS)
    if uploads.is_read(upload):
        messages.error(request, gettext("This file is being judged: cancel that first."))
    else:
        uploads.remove_upload(upload)
        messages.success(request, gettext("The file was removed."))
    return redirect("experiments:judge")


@login_required
@require_safe
def judged(request: HttpRequest, pk: int) -> HttpResponse:
    """A judged test: its progress, or its report."""
    run = get_object_or_404(FinishedTest.objects.select_related("upload"), pk=pk)
    body = report_body(run)
    if "report" not in body:
        run.words = in_form_words(run.reason_on_page)
        return render(request, "experiments/judged.html", {"run": run, **progress_of(run), **body})
    context = {**body, "run": run, "why_not": _why_not(body["report"]), **_past(run)}
    return render(request, "experiments/judged.html", context)


@login_required
@may(ADDING)
@require_http_methods(["GET", "HEAD", "POST"])
def add_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a judged test to past experiments: the facts that the file doesn't contain."""
    run = get_object_or_404(FinishedTest.objects.select_related("upload"), pk=pk)
    report = FILE_REPORT.of(run)
    trouble = _why_not(report) if isinstance(report, Report) else gettext("This test isn't judged yet.")
    if trouble or run.kept_as:
        messages.error(request, trouble or gettext("This test is among the past experiments already."))
        return redirect("experiments:judged", pk=pk)
    form = PastForm(request.POST or None, initial={"name": run.name.rsplit(".", 1)[0]})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            facts = told_of(
                name=data["name"],
                behaviour=data["moment"] or data["behaviour"],
                times=data["times"],
                days=data["days"],
                outcome=data["outcome"] or None,
                first=data["first"],
                last=data["last"],
                promise=data["promised"],
            )
            judge.add_to_past(test=run, facts=facts, by=person(request))
        except Refused as refusal:
            form.add_error(PastForm.FIELDS.get(refusal.at), in_form_words(refusal.sentence))
        else:
            messages.success(request, gettext("Added to past experiments."))
            return redirect(f"{reverse('experiments:judged', args=[pk])}#past")
    return render(request, "experiments/judge_add.html", {"run": run, "form": form})


def report_body(run: FinishedTest) -> dict[str, Any]:
    """Context of `experiments/judged_body.html` for a judged test: on its page, and in its download."""
    report = FILE_REPORT.of(run)
    if report is None:
        return {}
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    screen, whole = file_page.first_screen(report), file_page.sections(report)
    return {
        "report": report,
        "opened": True,
        "of_file": True,
        "summary": screen,
        "opening": file_page.opening(report),
        "health": file_page.health(report),
        "sections": whole,
        "weak_part": any(section.slug == "direct" for section in whole),
        "definitions": definitions(report),
        "copied": {
            "text": first_screen.as_text(screen, run.name),
            "markdown": first_screen.as_text(screen, run.name, markdown=True),
        },
    }


OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
FIELD_OF = {"direct-effect": "low", "outcome-spec": "outcome", "from": "first", "to": "last"}


def in_form_words(sentence: str) -> str:
    """A sentence of the commands, with the labels of these forms' fields in place of options."""
    labels = {name: field.label for form in (PastForm, ColumnsForm) for name, field in form.base_fields.items()}
    labels["primary"] = labels["adjusted"]

    def worded(match: re.Match[str]) -> str:
        option = match[1]
        label = PastForm.base_fields["outcome"].label if option == "outcome-spec" else None
        label = label or labels.get(FIELD_OF.get(option, option.replace("-", "_")))
        return match[0] if label is None else gettext("“{label}”").format(label=label)

    return OPTION.sub(worded, sentence)


def _start(sample: Sample, design: Design | None) -> dict[str, Any]:
    """The initial choice: what was confirmed before, or the guess."""
    place = {name: str(number) for number, name in enumerate(sample.columns)}
    if design is not None and design.variant in place:
        return _start_again(place, design)
    guess: Guess = guess_columns(sample)
    found = {name: place.get(getattr(guess, name), "") for name in ("variant", "outcome", "behaviour", "unit")}
    return {
        **found,
        **{name: place.get(getattr(guess, name), "") for name in ("cluster", "segment")},
        "control": guess.control,
        "placebo": guess.placebo,
        "alpha": 0.05,
    }


def _start_again(place: dict[str, str], design: Design) -> dict[str, Any]:
    def of(*names: str | None) -> list[str]:
        return [place[name] for name in names if name is not None and name in place]

    def categories(rows: tuple[Covariate, ...]) -> list[str]:
        return of(*(row.name for row in rows if row.category))

    low, high = design.direct_effect or (None, None)
    return {
        **{name: next(iter(of(getattr(design, name))), "") for name in ("variant", "behaviour", "unit", "segment")},
        "cluster": next(iter(of(design.cluster)), ""),
        "outcome": next(iter(of(design.outcomes[0])), ""),
        "more": of(*design.outcomes[1:]),
        "other": of(*(row.name for row in design.others)),
        "other_promise": ", ".join(f"{row.name}={row.largest:g}" for row in design.others if row.low is not None),
        "consequence": of(*(row.name for row in design.others if row.consequence)),
        "control": design.control,
        "placebo": design.placebo or "",
        "covariate": of(*(row.name for row in design.covariates if not row.category)),
        "category": categories(design.covariates),
        "adjusted": design.adjusted,
        "ratio": ", ".join(f"{label}={share:g}" for label, share in (design.shares or {}).items()),
        "alpha": design.alpha,
        "margin": design.margin,
        "low": low,
        "high": high,
        "nudge_cost": design.nudge_cost or None,
    }


def _table(first: First, form: ColumnsForm) -> dict[str, Any]:
    """The first rows, each column with what it is taken for, and how the file was read."""
    names, roles = first.sample.columns, form.roles
    shown = names[:MOST_COLUMNS]
    return {
        "head": [(name, roles.get(name, "")) for name in shown],
        "rows": [row[: len(shown)] for row in first.sample.rows[:ROWS]],
        "encoding": first.reading.encoding if first.reading.kind == "csv" else "",
        "encodings": ENCODINGS,
    }


def _why_not(report: Report) -> str:
    """Why a judged test can't be added to past experiments; "" when it can."""
    try:
        refuse_design(report.design)
    except Refused:
        if report.design.behaviour is None:
            return gettext("Without a column of the behaviour this test says nothing about one.")
        return gettext("A finding is about one outcome: judge the file again with one.")
    return ""


def _past(run: FinishedTest) -> dict[str, Any]:
    """What all past experiments on its behaviour say together, once it is among them."""
    kept: list[Finding] = judge.kept_findings(run)
    if not kept:
        return {}
    one = kept[0]
    definition = Definition(one.behaviour, one.times, one.days, one.outcome)
    found = past_experiments(definition)
    moment = AhaMoment.objects.filter(times=one.times, days=one.days, behaviour=one.behaviour).first()
    return {
        "kept": one,
        "moment": moment,
        "moment_name": "" if moment is None else moment_name(moment.name, moment),
        "past": {
            "sentences": past.sentences(found),
            "drawing": past.drawing(found),
            "tables": past.tables(found),
            "address": f"{reverse('aha:past')}?{urlencode(vars(definition))}",
        },
    }


def _choose(form: forms.Form, name: str, choices: list[tuple[str, Any]]) -> None:
    field = form.fields[name]
    if not isinstance(field, forms.ChoiceField):
        raise TypeError(name)
    field.choices = choices
