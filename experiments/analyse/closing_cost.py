"""What closing enrolment of a stored experiment would cost its last look; shown before a person confirms it."""

from django.utils import timezone

from experiments.analyse.analyses import latest_analysis, looks_before, read_analysis
from experiments.analyse.closing import Cost, cost_of
from experiments.models import Experiment
from experiments.plan.stored import planned_of
from runs.payloads import Unreadable


def cost(experiment: Experiment) -> Cost | None:
    """The cost of closing today, with the units of the last analysis; None where there is none or it is unknown.

    Before the first analysis no outcome was shown, so closing costs nothing.
    """
    if experiment.method != Experiment.Method.GROUP_SEQUENTIAL or experiment.started_at is None:
        return None

    readout = read_analysis(latest_analysis(experiment))
    if readout is None or isinstance(readout, Unreadable):
        return None
    return cost_of(planned_of(experiment), readout.standing, looks_before(experiment), today=timezone.localdate())
