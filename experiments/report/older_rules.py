"""What today's rules would judge otherwise about a result of an older version, a sentence each. Pure."""

from experiments.analyse.older_rules import Changed, changed_rules
from experiments.analyse.result import Readout
from reporting.words import gettext


def older_rules(readout: Readout) -> tuple[str, ...]:
    """Sentences on the changed rules; empty where none affects the result."""
    changed = changed_rules(readout)
    if not changed:
        return ()
    first = gettext(
        "This result was made by the rules of version 0.4 and stays as it is. Today it could come out differently:"
    )
    texts = {
        Changed.PLACEBO: gettext(
            "the nudge was compared with the control group, since the placebo was not shown to leave the behaviour "
            "alone; today it is always compared with the placebo."
        ),
        Changed.TIES: gettext(
            "quantiles are no longer computed where many users have exactly the same value, as with whole numbers."
        ),
        Changed.CLUSTERS: gettext(
            "clusters were assigned, so the effect holds what the others in the cluster did as well; it is no "
            "longer called the effect of one's own behaviour."
        ),
        Changed.ARMS: gettext(
            "with several nudges the interval and the breakdown value of the leading one are wider now."
        ),
        Changed.TWO_ARMS_MET: gettext(
            "users who met two groups were left out; today they count in the group they met first."
        ),
        Changed.MIX: gettext("the interval of a ratio over segments is wider now, since it is about all users."),
    }
    return (first, *(texts[one] for one in changed))
