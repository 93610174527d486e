"""Words for the promise of a moment's study, and the effects that a plan derives from it."""

from django.utils.translation import gettext as _

from aha.models import AhaMoment
from aha.moments.claims import promised
from experiments.plan.drafts import HOPED_FOR, LEAST_EFFECT, SHARE_OF_PROMISE
from reporting.numbers import effect_text


def promise(moment: AhaMoment | None) -> str:
    """The evidence ladder's last computable difference, a tenth and a half of it; empty without evidence."""
    adjusted = None if moment is None else promised(moment.evidence).adjusted
    if adjusted is None or adjusted.estimate <= 0:
        return ""
    text = _(
        "In the study, users who did it were retained {whole} more often than the others, after everything that could "
        "be measured was held equal. Most of that is usually not caused by the behaviour. So a tenth of it, {tenth}, "
        "is proposed as the smallest effect worth acting on, and half of it, {half}, as what you may hope for until "
        "past experiments say better."
    )
    return text.format(
        whole=effect_text(adjusted.estimate, share=True, plus=True),
        tenth=effect_text(max(SHARE_OF_PROMISE * adjusted.estimate, LEAST_EFFECT), share=True),
        half=effect_text(HOPED_FOR * adjusted.estimate, share=True),
    )
