"""Who wrote a plan, who may approve plans, and who may start one without."""

from django.contrib.auth.models import User
from django.db.models import QuerySet

from experiments.models import Experiment, ReviewPolicy

APPROVE = "experiments.add_reviewanswer"
SKIP = "experiments.skip_reviewrequest"
BACKEND = "django.contrib.auth.backends.ModelBackend"  # permissions come from roles, however a person signs in
ENOUGH = 2  # people who could approve: with fewer an approval by somebody else can't be had


def approvers() -> QuerySet[User]:
    """Active accounts that may approve plans, by name."""
    return User.objects.with_perm(APPROVE, backend=BACKEND).order_by("username")


def is_required() -> bool:
    """Whether this site's plans need an approval now, by its rule."""
    mode = ReviewPolicy.current().mode
    if mode == ReviewPolicy.Mode.AUTOMATIC:
        return approvers()[:ENOUGH].count() >= ENOUGH
    return mode == ReviewPolicy.Mode.ALWAYS


def needs_review(experiment: Experiment) -> bool:
    """Whether this plan needs an approval before it starts: by the site's rule, or because an agent drafted it."""
    return bool(experiment.drafted_by_agent) or is_required()


def authors_of(experiment: Experiment) -> frozenset[int]:
    """Accounts that made the draft or changed its plan since, by person or with a key of theirs.

    A version that changed nothing (a step that was only looked at) makes nobody an author; an override, which is no
    part of the plan, is written without a name.
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

    Where the site asks for no second person, the plan of an agent still needs a first one: whoever made the agent's key
    or mended the draft may approve it. Else a team of one could never start what its agent wrote.
    """
    if experiment.drafted_by_agent and not is_required():
        return frozenset()
    return authors_of(experiment)


def may_approve(experiment: Experiment, person: User) -> bool:
    """Whether this person could approve this plan: allowed to, and not one of those whom it bars."""
    return person.is_active and person.has_perm(APPROVE) and person.pk not in barred_from(experiment)
