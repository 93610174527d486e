"""Glossary terms: who decides, what is shipped, and why a result can be trusted. Pure."""

from insight_site.glossary.terms import Term
from reporting.words import gettext


def acting() -> tuple[Term, ...]:
    """Terms: before a start and after a verdict."""
    return (
        Term(
            "review", gettext("Review"),
            gettext(
                "A second person reads a plan before it starts and approves it or asks for changes. Whoever wrote the "
                "plan can't approve it, and a change after the approval makes it void."
            ), "review", "Review before start",
        ),
        Term(
            "certified-metric", gettext("Certified metric"),
            gettext(
                "A metric of the catalogue whose definition somebody has checked and confirmed. A changed definition "
                "is a new version, and a running plan keeps the one with which it was started."
            ), "metrics", "Versions",
        ),
        Term(
            "rollout", gettext("Rollout"),
            gettext(
                "Shipping an arm after the experiment ended, in steps, to a growing share of users. Nobody moves who "
                "was assigned the shipped arm, and one switch brings everybody back to the default."
            ), "assignment", "Rollout",
        ),
        Term(
            "holdout", gettext("Holdout"),
            gettext(
                "A small share of users who get none of what is shipped. Comparing them with the rest shows what all "
                "changes did together; the sum of the single results is usually too large."
            ), "several_experiments", "Three shipped changes",
        ),
        Term(
            "interaction", gettext("Interaction"),
            gettext(
                "Two experiments on the same users interact when the effect of one depends on the arm of the other. "
                "Without an interaction each can be read by itself."
            ), "several_experiments", "Two experiments on the same users",
        ),
    )  # fmt: skip


def trust() -> tuple[Term, ...]:
    """Terms: why a result can be trusted."""
    return (
        Term(
            "registered-plan", gettext("Registered plan"),
            gettext(
                "The plan as a text with its hash, taken at the moment of the start. It shows later that nothing was "
                "chosen after the result was known."
            ), "verify", "The registered plan",
        ),
        Term(
            "signed-verdict", gettext("Signed verdict"),
            gettext(
                "A final result with the plan, the version of the data and the seeds it came from, signed by the site. "
                "Anyone who has the site's data can compute it again and compare."
            ), "verify", "What is signed",
        ),
        Term(
            "self-test", gettext("Self-test"),
            gettext(
                "Effects of known size are planted into a copy of your own events, and Insight looks for them. It "
                "shows what would be found, missed and falsely claimed on data like yours."
            ), "selftest", "What is planted",
        ),
        Term(
            "false-alarm-rate", gettext("False alarm rate"),
            gettext(
                "How often a metric calls random halves of past users different, where nothing was done to either. "
                "It should be about 5 in 100; a metric with clearly more makes experiments look better than they are."
            ), "metrics", "On its own past",
        ),
        Term(
            "agent", gettext("Agent"),
            gettext(
                "A program with a language model that works with Insight by a key of its own. The outcome of a running "
                "experiment is locked for it as for people, and its drafts wait for a person."
            ), "agents", "What holds for agents",
        ),
    )  # fmt: skip
