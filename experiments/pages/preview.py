"""The preview of a report: its first screen with made-up numbers, for each verdict that the plan can get."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from experiments.analyse.codes import Code, code_words
from experiments.analyse.made_up import made_up_results, unfit
from experiments.pages.tabs import find
from experiments.plan.stored import plan_of
from experiments.plan_page import known_numbers
from experiments.report import first_lines
from experiments.report import summary as first_screen
from stats.results import computable


@login_required
@require_safe
def report_preview(request: HttpRequest, key: str) -> HttpResponse:
    """One made-up result; `?verdict=` chooses which."""
    experiment = find(key)
    plan = plan_of(experiment)
    context: dict[str, Any] = {"experiment": experiment, "standalone": True, "unfit": _unfit_words().get(unfit(plan))}
    if context["unfit"] is None:
        inflow = known_numbers.remembered_inflow(experiment)
        known: dict[str, Any] = {}
        if inflow is not None:
            known = {"base": inflow.base, "sd": inflow.sd, "reach": inflow.reach}
            known = {name: value for name, value in known.items() if isinstance(value, float) and computable(value)}
        results = made_up_results(plan, **known)
        asked = request.GET.get("verdict", "")
        code = next((code for code in results if code == asked), next(iter(results), None))
        context |= {
            "codes": [(code.value, code_words(code)) for code in results],
            "code": code,
            "missing": [code_words(one) for one in _possible(plan.claim is not None) if one not in results],
        }
        if code is not None:
            readout = results[code]
            context |= {
                "readout": readout,
                "opened": readout,
                "opening": first_lines.opening(readout),
                "summary": replace(first_screen.summary(readout), quality=(_("Made-up numbers"),)),
            }
    return render(request, "experiments/preview.html", context)


def _possible(behaviour: bool) -> list[Code]:
    """Verdicts that a plan of this kind has; without a behaviour none is about it."""
    about_behaviour = (Code.NUDGE_FAILED, Code.NUDGE_NOT_BEHAVIOUR)
    return [code for code in Code if behaviour or code not in about_behaviour]


def _unfit_words() -> dict[str, str]:
    return {
        "lab": _("There is no preview of a lab's report."),
        "groups": _("A preview needs two groups with a share of users each."),
        "cluster": _("There is no preview of a plan that assigns whole clusters."),
        "outcome": _("A preview needs a first outcome that is a share of users or a mean per user."),
    }
