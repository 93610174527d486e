"""The kinds of notices in one table: content, recipients, and default timing."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from experiments.analyse.codes import Code
from insight_site.models.notices import Timing
from insight_site.operation.signs import SIGNS

OWNER, WATCHERS, REVIEWERS, ADMINS = "owner", "watchers", "reviewers", "admins"
FINAL = ":final"  # suffix of the code of a final verdict
SEE_EXPERIMENT, SEE_MOMENT = "experiments.view_experiment", "aha.view_ahamoment"


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes:
        key: stored in rows, so it never changes.
        title: name in the preferences.
        concerned: recipients by default: OWNER made the row, WATCHERS worked on it, REVIEWERS were asked for a review,
            ADMINS run the site.
        needs: the permission to view the row, without which nobody is notified.
        timing: when they are notified by default.
        codes: the codes that a notice may hold besides the row. A notice can't hold any other text or number.
        outcome: it states a result, so it requires an open outcome (`insight_site.notices.from_analysis`).
        by_row: it is about single rows, and people may subscribe to other people's rows too.
    """

    key: str
    title: Promise
    concerned: tuple[str, ...]
    needs: str = SEE_EXPERIMENT
    timing: str = Timing.AT_ONCE
    codes: frozenset[str] = frozenset({""})
    outcome: bool = False
    by_row: bool = True


KINDS = (
    Kind("started", _("An experiment starts"), (OWNER, WATCHERS)),
    Kind("stopped", _("An experiment stops"), (OWNER, WATCHERS)),
    Kind("review_requested", _("A plan needs your review"), (REVIEWERS,)),
    Kind("review_answered", _("A plan was reviewed"), (OWNER, WATCHERS)),
    Kind("comment", _("A comment on a plan"), (OWNER, WATCHERS)),
    Kind("rollout", _("A rollout moves"), (OWNER, WATCHERS)),
    Kind("sample_ratio", _("The sample ratio is broken"), (OWNER, WATCHERS)),
    Kind("guardrail", _("A guardrail raises its alarm"), (OWNER, WATCHERS)),
    Kind("look_due", _("A planned look is due"), (OWNER, WATCHERS)),
    Kind(
        "verdict",
        _("An experiment has a verdict"),
        (OWNER, WATCHERS),
        codes=frozenset(code.value + end for code in Code for end in ("", FINAL)),
        outcome=True,
    ),
    Kind("share_falling", _("The weekly share of a moment falls"), (OWNER,), SEE_MOMENT, Timing.DAILY),
    Kind("run_failed", _("A computation that I asked for fails"), (OWNER,), ""),
    Kind("part_unwell", _("A part of the site needs a hand"), (ADMINS,), "", codes=frozenset(SIGNS), by_row=False),
)
BY_KEY = {kind.key: kind for kind in KINDS}
