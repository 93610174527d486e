"""Terms of the glossary: staying, discovery, evidence, segments, experiments, results, decisions. Pure."""

from dataclasses import dataclass

from reporting.words import later


@dataclass(frozen=True)
class Term:
    """One glossary term.

    Attributes:
        slug: its name in templates.
        name: the term, or the question, as pages show it; in English until `glossary` translates it.
        meaning: two sentences: what it is, and how to read it; likewise.
        doc: file under docs/methods/ or docs/, without extension.
        heading: section of that file.
    """

    slug: str
    name: str
    meaning: str
    doc: str
    heading: str


# By section of the glossary, in the order in which it shows them.
TERMS: dict[str, tuple[Term, ...]] = {
    "staying": (
        Term(
            "retention", later("Retention"),
            later(
                "The share of new users who are active again on a day, or on at least one day of a range, after they "
                "signed up. Only users whose days are over are counted, so a young cohort can't seem worse than it "
                "is."
            ), "discovery", "Who counts",
        ),
        Term(
            "churn", later("Churn"),
            later(
                "Leaving: not being active on the days on which retention is measured. A forecast of churn says who "
                "is likely to leave, and never what would make them stay."
            ), "profiles", "Churn risk (`churn`)",
        ),
        Term(
            "plateau", later("Plateau"),
            later(
                "The height at which the retention curve stops falling: the share of users who have come to stay. "
                "Raising it is what an AHA moment is for."
            ), "evidence", "Plateau",
        ),
        Term(
            "aha-moment", later("AHA moment"),
            later(
                "An early behaviour, how often and within how many days, after which users tend to stay. It is a claim "
                "until an experiment has confirmed it."
            ), "discovery", "Weekly reach of a moment",
        ),
        Term(
            "reach", later("Share who do it"),
            later(
                "The share of users who do the behaviour at least so often within the days. A behaviour of nearly "
                "nobody or nearly everybody leaves little to change, so cells of 5 to 80% are recommended."
            ), "discovery", "Cell metrics and intervals",
        ),
    ),
    "discovery": (
        Term(
            "abc", later("A, B, C and O"),
            later(
                "Four counts of one cell: A stayed without doing it, B did it and stayed, C did it and left, O "
                "neither. Every number of the cell is made of these four."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "j", later("J"),
            later(
                "The users who did it and stayed, as a share of those who did it or stayed: B of A + B + C. It is 1 "
                "when doers and stayers are the same users, and it says nothing about why."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "phi", later("Phi"),
            later(
                "The correlation of doing it and staying, both taken as yes or no, from -1 to 1. Unlike J it also "
                "counts the users who did neither."
            ), "discovery", "Cell metrics and intervals",
        ),
        Term(
            "precision-recall", later("Retained among those who did it; did it among the retained"),
            later(
                "The first is the share of doers who stay, the second the share of stayers who did it. Raising the "
                "number of times raises one and lowers the other, so no number is best for both."
            ), "discovery", "Choice, indifference, Pareto front",
        ),
        Term(
            "as-good", later("As good within one standard error"),
            later(
                "Cells whose J is so close to the best one that these data can't separate them. Take the one that is "
                "easiest to explain or to nudge."
            ), "discovery", "Choice, indifference, Pareto front",
        ),
        Term(
            "jump", later("Jump"),
            later(
                "Retention rises at one number of times by more than a smooth curve explains, and by more than at the "
                "numbers beside it. Without a jump the number is a convention: slightly fewer times are nearly as "
                "good, also where retention rises evenly to a number and levels off there."
            ), "discovery", "Step evidence",
        ),
        Term(
            "hold-out", later("Hold-out and later cohorts"),
            later(
                "Users who had no part in choosing the number, set aside before the choice or signed up later. Only "
                "their values are honest, since the best of many cells seems better than it is."
            ), "discovery", "Hold-out, later cohorts, optimism",
        ),
        Term(
            "shap", later("SHAP"),
            later(
                "What a feature adds to a model's forecast for one user, in log-odds, by a model that never saw this "
                "user. It says what the model leans on, not what would happen if the feature were changed."
            ), "discovery", "What the model sees",
        ),
    ),
    "evidence": (
        Term(
            "null", later("Shuffles"),
            later(
                "The same search repeated on data in which the link to staying was cut by chance. A result that "
                "shuffles achieve as well is luck."
            ), "discovery", "Whole-grid null",
        ),
        Term(
            "ladder", later("Ladder"),
            later(
                "The difference between doers and others, adjusted for more and more of what is known about them. "
                "What is left at the end may still be caused by something that nobody measured."
            ), "evidence", "AIPW",
        ),
        Term(
            "daily-trials", later("Daily trials"),
            later(
                "On every day, users who come to the number on that day against those who don't yet, alike in all "
                "that was measured by the evening before. It removes what was measured before that day, and nothing "
                "else."
            ), "evidence", "Daily trials",
        ),
        Term(
            "robustness-value", later("Robustness value"),
            later(
                "The share of what is left of behaviour and of retention that a hidden cause would have to explain to "
                "bring the difference to 0. Compare it with what activity explains of the two."
            ), "evidence", "Robustness value",
        ),
        Term(
            "e-value", later("E-value"),
            later(
                "How strongly a hidden cause would have to go with both doing it and staying to explain the whole "
                "difference, as a ratio of risks. Compare it with what a known cause, activity, does."
            ), "evidence", "E-value",
        ),
        Term(
            "negative-control", later("Negative control"),
            later(
                "A behaviour that can't make anybody stay, such as muting the sound. If the method finds something "
                "there, what it finds elsewhere may be of the same kind."
            ), "evidence", "Negative controls",
        ),
        Term(
            "promise", later("Predicted effect"),
            later(
                "The gain in retention if everybody who does it only with a nudge did the behaviour, and the "
                "surviving share of the difference were its effect. It is an upper limit to plan with, not a "
                "forecast."
            ), "evidence", "Promise",
        ),
        Term(
            "expected-gain", later("Expected causal gain"),
            later(
                "The predicted effect times the share of such predictions that experiments have confirmed so far, "
                "for the users whose behaviour a nudge may be expected to change. It puts candidates in order, and "
                "an experiment decides."
            ), "pooling", "Price of a promise",
        ),
        Term(
            "past-experiments", later("Past experiments"),
            later(
                "Every finished experiment that nudged to the behaviour, pooled on one definition. Where the nudges "
                "disagree, some work in other ways, and no pooled effect is given."
            ), "past_experiments", "What may be pooled",
        ),
    ),
    "segments": (
        Term(
            "play-pattern", later("Play pattern"),
            later(
                "The mix of a user's behaviours on an active day, however much they play. Two users of one pattern do "
                "the same things in the same proportions."
            ), "segments", "Play-pattern features",
        ),
        Term(
            "pca", later("PCA"),
            later(
                "A projection that shows as much of the differences between users as straight lines can. Far apart "
                "in the picture is far apart in the data."
            ), "segments", "PCA",
        ),
        Term(
            "umap", later("UMAP and t-SNE"),
            later(
                "Maps that place near users near and may tear apart what is continuous. Islands in such a picture "
                "are no proof of groups; the tests below are."
            ), "segments", "UMAP",
        ),
        Term(
            "silhouette", later("Silhouette"),
            later(
                "How much closer users are to their own group than to the next one, from -1 to 1. It is measured "
                "before any reduction, so a pretty map doesn't raise it."
            ), "segments", "K",
        ),
        Term(
            "stability", later("Stability"),
            later(
                "How far the same groups are found again among resampled users, from 0 to 1. Below 0.60 a group is not "
                "found again, so no experiment may target it."
            ), "segments", "Stability",
        ),
        Term(
            "styles", later("Playing styles"),
            later(
                "Stable clusters between which no gap was found: corners of one cloud, not separate groups. Users "
                "between two corners exist, and which side they fall on says little about them."
            ), "segments", "Groups or styles: is there a gap?",
        ),
        Term(
            "standardised-difference", later("Standardised difference"),
            later(
                "The mean of a group minus the mean of the others, in standard deviations. 0.2 is small and 0.8 large."
            ), "profiles", "Profiles (`profiles.py`, `leaving.py`)",
        ),
        Term(
            "drift", later("Drift"),
            later(
                "How far the population of today differs from the one in which the groups were found, as a stability "
                "index. Beyond what chance makes of it, search for groups anew."
            ), "profiles", "Drift (`drift.py`)",
        ),
    ),
    "experiments": (
        Term(
            "itt", later("Effect of the nudge (ITT)"),
            later(
                "Everybody is counted in the variant that they were assigned to, whatever they did: intention to "
                "treat. It is the effect of shipping the nudge, and chance alone decided who got it."
            ), "encouragement", "Unpooled z",
        ),
        Term(
            "take-up", later("Take-up"),
            later(
                "The share of users who do the behaviour. The difference between the groups is how many did it "
                "because of the nudge; when it is near zero, the experiment says nothing about the behaviour."
            ), "encouragement", "First stage",
        ),
        Term(
            "cace", later("What is CACE?"),
            later(
                "The effect of the behaviour among users who do it only if nudged: the nudge's effect on staying "
                "divided by its effect on take-up. It holds when the nudge works through the behaviour alone and "
                "prevents nobody from it."
            ), "encouragement", "Wald",
        ),
        Term(
            "placebo", later("Placebo nudge"),
            later(
                "A nudge that is as loud as the real one and points at something without effect. The real nudge is "
                "compared with it, so that what being nudged does by itself cancels."
            ), "encouragement", "Placebo arm (`placebo`)",
        ),
        Term(
            "per-protocol", later("Why not per-protocol?"),
            later(
                "Comparing only those who did the behaviour, or dropping those who didn't, undoes the random "
                "assignment: eager users select themselves into one side. The difference then mixes the effect with "
                "who chooses to do it, so it is shown for comparison and never decides."
            ), "encouragement", "As treated",
        ),
        Term(
            "sample-ratio", later("Sample ratio"),
            later(
                "Compares the sizes of the groups with the planned split. A p-value below .001 means that users were "
                "lost on the way, and the result can't be trusted however good it seems."
            ), "integrity", "Sample ratio",
        ),
        Term(
            "effective-clusters", later("Effective number of clusters"),
            later(
                "How many clusters of equal size would carry as much as these of unequal size. One large cluster among "
                "small ones counts for most of the result, so this number decides whether there are enough."
            ), "clusters", "Cluster robust",
        ),
        Term(
            "cluster", later("Cluster"),
            later(
                "A group such as a guild, class or company that is drawn as a whole, so that users who influence each "
                "other get the same variant. Errors are then those between clusters."
            ), "assignment", "Clusters",
        ),
        Term(
            "spillover", later("Spillover"),
            later(
                "What a nudge does to users who didn't get it but are beside users who did. A plan with saturations "
                "measures it: clusters draw the share of their users that is nudged, and some draw none."
            ), "clusters", "Saturation",
        ),
        Term(
            "guardrail", later("Guardrail"),
            later(
                "An outcome that must not get worse while the experiment tries to improve another. It is tested "
                "against a margin that was set before the start."
            ), "comparison", "Equivalence",
        ),
        Term(
            "cuped", later("Covariate adjustment"),
            later(
                "Removes the variation that was known before the assignment, so the interval gets narrower. It doesn't "
                "bias the result, as long as the nudge couldn't change what it uses."
            ), "comparison", "Lin adjustment",
        ),
        Term(
            "predicted-outcome", later("Predicted outcome"),
            later(
                "What a model of earlier users expects of a new one, from what their signup said. Fitted before the "
                "start, it stands in for the past that a new user doesn't have."
            ), "comparison", "Predicted outcome",
        ),
        Term(
            "anderson-rubin", later("Anderson-Rubin set"),
            later(
                "All effects of the behaviour that the data don't contradict. It is right however few users the "
                "nudge changes, so it decides the verdict; a weak nudge makes it wide, or endless."
            ), "encouragement", "Anderson-Rubin",
        ),
        Term(
            "breakdown", later("Breakdown value"),
            later(
                "How large the direct effect of being nudged would have to be before nothing is shown about the "
                "behaviour. No test can see a small direct effect, so a verdict on a behaviour names this condition; a "
                "placebo nudge measures it."
            ), "encouragement", "How much exclusion must fail (`exclusion`)",
        ),
        Term(
            "other-behaviour", later("Other behaviour"),
            later(
                "A behaviour that the nudge may move beside the one that is tested, such as chatting beside adding "
                "friends. If it keeps users, the nudge's effect may be its doing, so it is listed before the start "
                "and measured too."
            ), "joint", "Other behaviours",
        ),
        Term(
            "largest-effect", later("Largest effect of another behaviour"),
            later(
                "How many of 100 users who do another behaviour it may keep at most, registered before the start from "
                "past experiments or from a study. The tested behaviour is called a cause only if the nudge did more "
                "than the others can explain at that size."
            ), "joint", "Other behaviours",
        ),
        Term(
            "consequence", later("Consequence of a behaviour"),
            later(
                "Another behaviour to which the tested one leads, as friends lead to chatting. It is a part of how "
                "the tested behaviour works and no rival of it; one nudge can't show that, so the plan assumes it "
                "with a reason."
            ), "joint", "Other behaviours",
        ),
        Term(
            "joint-reading", later("Joint reading"),
            later(
                "Several nudges, each of which moved several behaviours, read together. What each behaviour does by "
                "itself is what makes all nudges' effects add up."
            ), "joint", "The joint reading",
        ),
        Term(
            "told-apart", later("Can't be told apart"),
            later(
                "Two behaviours that every nudge so far has moved alike. No number is given for either; a nudge that "
                "moves one and not the other would part them."
            ), "joint", "Conditional F",
        ),
        Term(
            "map-of-causes", later("Map of causes"),
            later(
                "One page with every behaviour of a service: what correlation promised, what experiments show, and "
                "which have never been tested. All of it together is wrong about a cause in at most one map of "
                "twenty."
            ), "joint", "The joint reading",
        ),
        Term(
            "lab", later("Lab"),
            later(
                "One plan with two to eight nudges, each dealt to every user by a draw of its own. The same users "
                "answer for several behaviours at once."
            ), "joint", "The joint reading",
        ),
        Term(
            "shrinkage", later("Shrinkage"),
            later(
                "Effects of small segments are drawn towards the mean of all, the more the noisier they are. The best "
                "of ten segments is then no longer simply the luckiest one."
            ), "comparison", "Mantel-Haenszel difference",
        ),
        Term(
            "verdict", later("Verdict"),
            later(
                "One of seven answers, read from a fixed table: causes, harms, no effect, nudge failed and so on. It "
                "follows from the checks and intervals alone, so nobody can argue it into another one."
            ), "verdict", "Verdict",
        ),
        Term(
            "everybody", later("From users of the nudge to everybody"),
            later(
                "An experiment shows the behaviour's effect on users who did it because of the nudge. For the others "
                "it can only be carried over by what was known of them before, or limited by two bounds."
            ), "encouragement", "Reweighted",
        ),
        Term(
            "margin-of-nudges", later("Nudges of different strength"),
            later(
                "A strong nudge changes users that a weak one doesn't, so two nudges show the effect on two kinds of "
                "users. Where the two effects differ, the effect on users of the nudge isn't everybody's."
            ), "encouragement", "Effect at each margin",
        ),
        Term(
            "policy", later("Who should be nudged"),
            later(
                "A rule on what is known of users before, chosen on some of them and judged on others who had no part "
                "in the choice. It is given only where it beats both nudging everybody and nudging nobody."
            ), "encouragement", "Who should be nudged",
        ),
        Term(
            "not-only-through", later("Not only through the behaviour"),
            later(
                "The data don't fit a nudge that works through the behaviour alone and prevents nobody from it. Then "
                "its effect can't be turned into one of the behaviour: nothing is known about the behaviour, neither "
                "that it works nor that it doesn't."
            ), "encouragement", "Instrument inequalities (`validity`)",
        ),
        Term(
            "sequential", later("Interim analyses"),
            later(
                "An ordinary p-value is only right when it is read once, at the planned end. A sequential plan has "
                "wider limits, which stay right however often they are read."
            ), "power", "Sequential plans",
        ),
        Term(
            "early-stop", later("Effect after interim analyses"),
            later(
                "A plan that stops at its first clear result stops more often where chance helped, so the plain "
                "difference is too large. The corrected one is too large in half of all experiments and too small in "
                "the other half; among those that stopped early it is still too large."
            ), "comparison", "Effect after a plan with planned looks",
        ),
        Term(
            "power", later("Power"),
            later(
                "The chance that the experiment finds an effect of the smallest size that matters. With 80%, one in "
                "five such effects is missed."
            ), "power", "Size of two shares (`power.prop.test`)",
        ),
    ),
    "acting": (
        Term(
            "review", later("Review"),
            later(
                "A second person reads a plan before it starts and approves it or asks for changes. Whoever wrote the "
                "plan can't approve it, and a change after the approval makes it void."
            ), "review", "Review before start",
        ),
        Term(
            "certified-metric", later("Certified metric"),
            later(
                "A metric of the catalogue whose definition somebody has checked and confirmed. A changed definition "
                "is a new version, and a running plan stays with the one with which it was started."
            ), "metrics", "Versions",
        ),
        Term(
            "rollout", later("Rollout"),
            later(
                "Shipping a group's value after the experiment ended, in steps, to a growing share of users. Nobody "
                "who was assigned the shipped group changes, and one switch brings everybody back to the default."
            ), "assignment", "Rollout",
        ),
        Term(
            "holdout", later("Holdout"),
            later(
                "A small share of users who get none of what is shipped. Comparing them with the rest shows what all "
                "changes did together; the sum of the single results is usually too large."
            ), "several_experiments", "Three shipped changes",
        ),
        Term(
            "interaction", later("Interaction"),
            later(
                "Two experiments on the same users interact when the effect of one depends on the group in the "
                "other. Without an interaction each can be read by itself."
            ), "several_experiments", "Two experiments on the same users",
        ),
    ),
    "trust": (
        Term(
            "registered-plan", later("Registered plan"),
            later(
                "The plan as a text with its hash, taken at the moment of the start. It shows later that nothing was "
                "chosen after the result was known."
            ), "verify", "The registered plan",
        ),
        Term(
            "signed-verdict", later("Signed verdict"),
            later(
                "A final result with the plan, the version of the data and the seeds it came from, signed by the site. "
                "Anyone who has the site's data can compute it again and compare."
            ), "verify", "What is signed",
        ),
        Term(
            "self-test", later("Self-test"),
            later(
                "Effects of known size are planted into a copy of your own events, and Insight searches for them. It "
                "shows what would be found, missed and falsely claimed on data like yours."
            ), "selftest", "What is planted",
        ),
        Term(
            "false-alarm-rate", later("False alarm rate"),
            later(
                "How often a metric calls random halves of past users different, where nothing was done to either. "
                "It should be about 5 in 100; a metric with clearly more makes experiments seem better than they are."
            ), "metrics", "On its own past",
        ),
        Term(
            "agent", later("Agent"),
            later(
                "A program with a language model that works with Insight by a key of its own. The outcome of a running "
                "experiment is locked for it as for people, and its drafts wait for a person."
            ), "agents", "What holds for agents",
        ),
    ),
    "reading": (
        Term(
            "interval", later("Interval (95% CI)"),
            later(
                "The values that go with the data; of all such intervals 95 in 100 hold the true value. A wide one "
                "says that there are too few users."
            ), "comparison", "Wilson interval",
        ),
        Term(
            "p-value", later("p-value"),
            later(
                "How often chance alone would give a result at least as far from nothing as this one. It is not the "
                "chance that the result is wrong, and a large one doesn't show that there is no effect."
            ), "comparison", "Score interval",
        ),
        Term(
            "adjusted-p", later("Adjusted p"),
            later(
                "A p-value made larger because many questions were asked at once. Without it one in twenty of them "
                "would seem to be a finding by chance."
            ), "comparison", "Holm",
        ),
        Term(
            "lift", later("Relative lift"),
            later(
                "The difference as a share of the control's level: from 20% to 22%: that is 2 points and a lift of "
                "10%. It has an interval of its own; the p-value belongs to the difference in points."
            ), "comparison", "Log lift",
        ),
    ),
}  # fmt: skip
