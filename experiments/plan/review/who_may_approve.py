"""Authors of a plan, accounts that may approve plans, and whether a plan needs an approval."""

from django.contrib.auth.models import User
from django.db.models import QuerySet

from experiments.models import Experiment, ReviewPolicy

APPROVE = "experiments.add_reviewanswer"
SKIP = "experiments.skip_reviewrequest"
BACKEND = "django.contrib.auth.backends.ModelBackend"  # permissions come from roles, whatever the way of signing in
ENOUGH = 2  # accounts that may approve: with fewer, nobody but the author could approve


def approvers() -> QuerySet[User]:
    """Active accounts that may approve plans, by name."""
    return User.objects.with_perm(APPROVE, backend=BACKEND).order_by("username")


def is_required() -> bool:
    """Whether the site's rule currently requires approvals."""
    mode = ReviewPolicy.current().mode
    if mode == ReviewPolicy.Mode.AUTOMATIC:
        return approvers()[:ENOUGH].count() >= ENOUGH
    return mode == ReviewPolicy.Mode.ALWAYS


def needs_review(experiment: Experiment) -> bool:
    """Whether this plan needs an approval before it starts: by the site's rule, or because an agent drafted it."""
    return bool(experiment.drafted_by_agent) or is_required()


def authors_of(experiment: Experiment) -> frozenset[int]:
    """Accounts that created the draft or changed its plan since, themselves or with their keys.

    A version without changes (a step that was only viewed) makes no author; an override isn't part of the plan and is
    stored without an account.
    """
    found = {experiment.created_by_id}
    before = 0
    for version, who in experiment.history.order_by("history_id").values_list("version", "history_user_id"):
        if version > before:
            found.add(who)
        before = version
    return frozenset(one for one in found if one is not None)


def barred_from(experiment: Experiment) -> frozenset[int]:
    """Accounts that may not approve this plan: its authors.

    Where the site doesn't require a second person, an agent's plan still needs one: the person who created the agent's
    key or edited the draft may approve it. Otherwise a team of one could never start its agent's plans.
    """
    if experiment.drafted_by_agent and not is_required():
        return frozenset()
    return authors_of(experiment)


def may_approve(experiment: Experiment, person: User) -> bool:
    """Whether this person may approve this plan: has the permission and isn't one of its authors."""
    return person.is_active and person.has_perm(APPROVE) and person.pk not in barred_from(experiment)
