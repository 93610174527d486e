"""Glossary terms: experiments, and how to read a result. Pure."""

from insight_site.glossary.terms import Term
from reporting.words import gettext


def cause() -> tuple[Term, ...]:
    """Terms: what an experiment measures."""
    return (
        Term(
            "itt", gettext("Effect of the nudge (ITT)"),
            gettext(
                "Everybody is counted in the variant that they were assigned to, whatever they did: intention to "
                "treat. It is the effect of shipping the nudge, and chance alone decided who got it."
            ), "encouragement", "Unpooled z",
        ),
        Term(
            "take-up", gettext("Take-up"),
            gettext(
                "The share of users who reach the behaviour. The difference between the variants is what the nudge "
                "moved; when it is near zero, the experiment says nothing about the behaviour."
            ), "encouragement", "First stage",
        ),
        Term(
            "cace", gettext("What is CACE?"),
            gettext(
                "The effect of the behaviour among users who do it only if nudged: the nudge's effect on staying "
                "divided by its effect on take-up. It holds when the nudge works through the behaviour alone and keeps "
                "nobody from it."
            ), "encouragement", "Wald",
        ),
        Term(
            "placebo", gettext("Placebo nudge"),
            gettext(
                "A nudge that is as loud as the real one and points at something without effect. The real nudge is "
                "compared with it, so that what being nudged does by itself cancels."
            ), "encouragement", "Placebo arm (`placebo`)",
        ),
        Term(
            "per-protocol", gettext("Why not per-protocol?"),
            gettext(
                "Comparing only those who did the behaviour, or dropping those who didn't, undoes the random "
                "assignment: eager users select themselves into one side. The difference then mixes the effect with "
                "who chooses to do it, so it is shown for comparison and never decides."
            ), "encouragement", "As treated",
        ),
        *_trust(),
    )  # fmt: skip


def _trust() -> tuple[Term, ...]:
    """Terms: how bias in the nudge's effect is prevented."""
    return (
        Term(
            "sample-ratio", gettext("Sample ratio"),
            gettext(
                "Compares the sizes of the variants with the planned split. A p-value below .001 means that users were "
                "lost on the way, and the result can't be trusted however good it looks."
            ), "integrity", "Sample ratio",
        ),
        Term(
            "effective-clusters", gettext("Effective number of clusters"),
            gettext(
                "How many clusters of equal size would carry as much as these of unequal size. One large cluster among "
                "small ones counts for most of the result, so this number decides whether there are enough."
            ), "clusters", "Cluster robust",
        ),
        Term(
            "cluster", gettext("Cluster"),
            gettext(
                "A group such as a guild, class or company that is drawn as a whole, so that users who influence each "
                "other get the same variant. Errors are then those between clusters."
            ), "assignment", "Clusters",
        ),
        Term(
            "spillover", gettext("Spillover"),
            gettext(
                "What a nudge does to users who didn't get it but are beside users who did. A plan with saturations "
                "measures it: clusters draw the share of their users that is nudged, and some draw none."
            ), "clusters", "Saturation",
        ),
        Term(
            "guardrail", gettext("Guardrail"),
            gettext(
                "An outcome that must not get worse while the experiment tries to improve another. It is tested "
                "against a margin that was set before the start."
            ), "comparison", "Equivalence",
        ),
        Term(
            "cuped", gettext("Covariate adjustment"),
            gettext(
                "Removes the variation that was known before the assignment, so the interval gets narrower. It doesn't "
                "bias the result, as long as the nudge couldn't change what it uses."
            ), "comparison", "Lin adjustment",
        ),
        Term(
            "predicted-outcome", gettext("Predicted outcome"),
            gettext(
                "What a model of earlier users expects of a new one, from what their signup said. Fitted before the "
                "start, it stands in for the past that a new user doesn't have."
            ), "comparison", "Predicted outcome",
        ),
    )  # fmt: skip


def instrument() -> tuple[Term, ...]:
    """Terms: instrumental-variable estimates."""
    return (
        Term(
            "anderson-rubin", gettext("Anderson-Rubin set"),
            gettext(
                "All effects of the behaviour that the data don't contradict. It is right however weakly the nudge "
                "moves people, so it decides the verdict; a weak nudge makes it wide, or endless."
            ), "encouragement", "Anderson-Rubin",
        ),
        Term(
            "breakdown", gettext("Breakdown value"),
            gettext(
                "How large the direct effect of being nudged would have to be before nothing is shown about the "
                "behaviour. No test can see a small direct effect, so a verdict on a behaviour names this condition; a "
                "placebo nudge measures it."
            ), "encouragement", "How much exclusion must fail (`exclusion`)",
        ),
        Term(
            "shrinkage", gettext("Shrinkage"),
            gettext(
                "Effects of small segments are drawn towards the mean of all, the more the noisier they are. The best "
                "of ten segments is then no longer simply the luckiest one."
            ), "comparison", "Mantel-Haenszel difference",
        ),
        Term(
            "verdict", gettext("Verdict"),
            gettext(
                "One of seven answers, read from a fixed table: causes, harms, no effect, nudge failed and so on. It "
                "follows from the checks and intervals alone, so nobody can argue it into another one."
            ), "verdict", "Verdict",
        ),
        *_for_whom(),
        *_placebo(),
    )  # fmt: skip


def _for_whom() -> tuple[Term, ...]:
    """Terms: whose effect is estimated."""
    return (
        Term(
            "everybody", gettext("From those moved to everybody"),
            gettext(
                "An experiment shows the behaviour's effect on users whom the nudge moves to it. For the others it can "
                "only be carried over by what was known of them before, or kept between two bounds."
            ), "encouragement", "Reweighted",
        ),
        Term(
            "margin-of-nudges", gettext("Nudges of different strength"),
            gettext(
                "A strong nudge moves users whom a weak one doesn't, so two nudges show the effect on two kinds of "
                "users. Where the two effects differ, that on those who are moved isn't everybody's."
            ), "encouragement", "Effect at each margin",
        ),
        Term(
            "policy", gettext("Whom to nudge"),
            gettext(
                "A rule on what is known of users before, chosen on some of them and judged on others who had no part "
                "in the choice. It is given only where it beats both nudging everybody and nudging nobody."
            ), "encouragement", "Whom to nudge",
        ),
    )  # fmt: skip


def _placebo() -> tuple[Term, ...]:
    """Terms: other effects of the nudge."""
    return (
        Term(
            "not-only-through", gettext("Not only through the behaviour"),
            gettext(
                "The data don't fit a nudge that works through the behaviour alone and keeps nobody from it. Then its "
                "effect can't be turned into one of the behaviour: nothing is known about the behaviour, neither that "
                "it works nor that it doesn't."
            ), "encouragement", "Instrument inequalities (`validity`)",
        ),
        Term(
            "sequential", gettext("Looking early"),
            gettext(
                "An ordinary p-value is only right when it is read once, at the planned end. A sequential plan has "
                "wider limits, which stay right however often they are read."
            ), "power", "Sequential plans",
        ),
        Term(
            "early-stop", gettext("Effect after looking early"),
            gettext(
                "A plan that stops at its first clear result stops more often where chance helped, so the plain "
                "difference is too large. The corrected one is too large in half of all experiments and too small in "
                "the other half; among those that stopped early it is still too large."
            ), "comparison", "Effect after a plan with planned looks",
        ),
        Term(
            "power", gettext("Power"),
            gettext(
                "The chance that the experiment finds an effect of the smallest size that matters. With 80%, one in "
                "five such effects is missed."
            ), "power", "Size of two shares (`power.prop.test`)",
        ),
    )  # fmt: skip


def reading() -> tuple[Term, ...]:
    """Terms: what accompanies every number."""
    return (
        Term(
            "interval", gettext("Interval (95% CI)"),
            gettext(
                "The values that go with the data; of all such intervals 95 in 100 hold the true value. A wide one "
                "says that there are too few users to tell."
            ), "comparison", "Wilson interval",
        ),
        Term(
            "p-value", gettext("p-value"),
            gettext(
                "How often chance alone would give a result at least as far from nothing as this one. It is not the "
                "chance that the result is wrong, and a large one doesn't show that there is no effect."
            ), "comparison", "Score interval",
        ),
        Term(
            "adjusted-p", gettext("Adjusted p"),
            gettext(
                "A p-value made larger because many questions were asked at once. Without it one in twenty of them "
                "would look like a finding by chance."
            ), "comparison", "Holm",
        ),
        Term(
            "lift", gettext("Relative lift"),
            gettext(
                "The difference as a share of the control's level: from 20% to 22%: that is 2 points and a lift of "
                "10%. It has an interval of its own; the p-value belongs to the difference in points."
            ), "comparison", "Log lift",
        ),
    )  # fmt: skip
