"""Sentences for the findings of health checks, one for each code of `analyse.findings`. Pure, without SciPy."""

from experiments.analyse.findings import Finding, FindingCode, Severity
from experiments.report.figures import figures_text
from reporting.words import gettext


def finding_sentence(finding: Finding) -> str:
    """A health finding as one plain sentence."""
    return templates()[finding.check] % figures_text(finding.details)


def severity_words(severity: Severity) -> str:
    """Severity of a finding in a word."""
    names = {Severity.ERROR: gettext("Problem"), Severity.WARNING: gettext("Caution"), Severity.INFO: gettext("Note")}
    return names[severity]


def templates() -> dict[FindingCode, str]:
    """The sentence of each code, with placeholders for its figures."""
    return {**_of_split(), **_of_senders(), **_of_flow(), **_of_values(), **_of_nudge(), **_of_plan()}


def _of_split() -> dict[FindingCode, str]:
    """Split of units between arms; checks of `experiments.analyse.health.split`."""
    return {
        "sample_ratio": gettext(
            "The group sizes don't fit the planned split (p %(p_value)s, alarm below .001): %(counts)s, planned "
            "%(expected)s. Find out why before anything else."
        ),
        "sample_ratio_watch": gettext(
            "The group sizes fit the planned split only barely (p %(p_value)s; the alarm is below .001): %(counts)s, "
            "planned %(expected)s."
        ),
        "sample_ratio_small": gettext("With %(n)s assigned units the split can't be checked (it needs 100)."),
        "sample_ratio_mature": gettext(
            "Among units whose outcome is known the group sizes don't fit the planned split (p %(p_value)s, alarm "
            "below .001): %(counts)s, planned %(expected)s. One group loses more units on the way."
        ),
        "sample_ratio_by_segment": gettext(
            "Inside segments the group sizes don't fit the planned split: %(bad)s of %(segments)s segments alarm. "
            "Worst: %(segment)s with %(counts)s, planned %(expected)s (p %(p_value)s)."
        ),
        "sample_ratio_over_time": gettext(
            "In %(bad)s of %(weeks)s weeks the group sizes don't fit the planned split. Worst: the week of %(week)s "
            "with %(counts)s, planned %(expected)s (p %(p_value)s). An allocation that changed mixes effect and time."
        ),
        "unplanned_units": gettext("%(n)s units are in variant %(variant)s, whose planned share is 0."),
        "several_variants": gettext("%(n)s units (%(share)s) were seen in more than one variant. They were left out."),
        "identity_conflicts": gettext(
            "%(n)s persons (%(share)s) had met different variants under two ids before they logged in. They were left "
            "out: ask for a flag with both ids, or show the experiment to one kind of id alone."
        ),
        "met_several": gettext(
            "%(n)s units (%(share)s) met more than one variant. They count in the one that they met first, which "
            "makes effects look a little smaller."
        ),
        "joined_several": gettext(
            "%(n)s persons (%(share)s) met different variants under two ids before they logged in. They count in the "
            "one that they met first, which makes effects look a little smaller: ask for a flag with both ids, or show "
            "the experiment to one kind of id alone."
        ),
        "first_variants": gettext(
            "Of the %(n)s units that met more than one variant, too many met the same one first (p %(p_value)s, alarm "
            "below .001): %(counts)s, expected %(expected)s. Either a variant changes who meets another one, or one is "
            "reported before the real one is known."
        ),
        "unknown_variant": gettext(
            "%(n)s units were exposed to “%(variant)s”, which the plan doesn't have. They were left out."
        ),
        "bucket_mismatch": gettext(
            "%(n)s of %(checked)s stored assignments (%(share)s) differ from what the draw gives. Find out who or what "
            "wrote them."
        ),
    }


def _of_senders() -> dict[FindingCode, str]:
    """Senders of exposures."""
    return {
        "not_admitted_source": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with a client key of %(sender)s, where this "
            "experiment isn't shown. They entered no count and no test. If it is shown there, name the source in the "
            "plan."
        ),
        "not_admitted_arm": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with a client key of %(sender)s, name another "
            "variant than the unit's own. They entered no count and no test: somebody forges, or a client draws wrong."
        ),
        "not_admitted_cluster": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with a client key of %(sender)s, name no cluster, "
            "and clusters are drawn. They entered no count and no test."
        ),
        "not_admitted_unknown": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with client keys. Nothing of these units had come "
            "before: no event of another kind, and no evaluation. They entered no count and no test. Anybody can "
            "invent ids; an app sends an event, such as a page view, before the exposure."
        ),
        "not_admitted_address": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with client keys. Their ids came in with more new "
            "ids of one address in one hour than may count. They entered no count and no test: somebody invents ids, "
            "or very many people share an address. Behind a proxy, BEHIND_PROXY must be set."
        ),
        "unverified_apart": gettext(
            "%(n)s units (%(share)s) are known only by client keys, which anybody can read; %(silent)s of them did "
            "nothing else. They decide nothing, since servers named enough of the others. The analysis with them "
            "stands beside this one."
        ),
        "unverified_apart_silent": gettext(
            "%(n)s units (%(share)s) are known only by client keys, which anybody can read, and more of them did "
            "nothing else than of the other units: %(silent)s against %(others_silent)s (p %(p_value)s). They may be "
            "invented, and decide nothing. The analysis with them stands beside this one."
        ),
        "unverified": gettext(
            "%(n)s units (%(share)s) are known only by a client key, which anybody can read, while others were "
            "reported by servers; %(silent)s of them did nothing else. The analysis without them stands beside this "
            "one."
        ),
        "unverified_silent": gettext(
            "%(n)s units (%(share)s) are known only by a client key, which anybody can read, and more of them did "
            "nothing else than of the other units: %(silent)s against %(others_silent)s (p %(p_value)s). They may be "
            "invented. The analysis without them stands beside this one."
        ),
    }


def _of_flow() -> dict[FindingCode, str]:
    """Units and events present or missing."""
    return {
        "empty_variant": gettext("Variant %(variant)s has no units."),
        "tiny_variant": gettext("Variant %(variant)s has only %(n)s units; a verdict needs %(needed)s."),
        "missing_variant": gettext("%(n)s rows (%(share)s) have no variant. They were left out."),
        "missing_unit": gettext("%(n)s rows (%(share)s) have no unit id. They were left out."),
        "missing_cluster": gettext("%(n)s rows (%(share)s) have no cluster. They were left out."),
        "unexposed": gettext(
            "%(n)s assigned units (%(share)s) never met their variant. They aren't counted; the effect speaks about "
            "those who did."
        ),
        "unexposed_differs": gettext(
            "%(n)s assigned units (%(share)s) never met their variant, and the groups differ in it (p %(p_value)s): "
            "is the exposure logged alike in all groups?"
        ),
        "silent": gettext(
            "%(n)s exposed units (%(share)s) have no event of their own at all: do their events reach Insight?"
        ),
        "silent_differs": gettext(
            "%(n)s exposed units (%(share)s) have no event of their own, and the groups differ in it (p %(p_value)s): "
            "one group's events may be lost."
        ),
        "no_cluster": gettext(
            "%(n)s exposed units name no cluster, though whole clusters are drawn. They were left out: send the "
            "cluster with each exposure."
        ),
        "no_signup": gettext(
            "%(n)s exposed units have no signup in the log, with which their days begin. They were left out."
        ),
        "inflow_stopped": gettext(
            "No unit has been exposed for %(days)s whole days (last on %(day)s), after %(per_day)s a day before. Is "
            "the flag still asked for?"
        ),
        "late_events": gettext(
            "%(n)s events (%(share)s) arrived more than two days after they happened, so recent figures may still move."
        ),
    }


def _of_values() -> dict[FindingCode, str]:
    """Values, clusters and balance."""
    return {
        "missing_values": gettext("%(column)s has no value for %(n)s units (%(share)s)."),
        "missing_differs": gettext(
            "%(column)s has no value for %(n)s units (%(share)s), and the variants differ in it (p %(p_value)s): the "
            "comparison of those who have one may mislead."
        ),
        "no_variation": gettext("%(column)s is %(value)s for every unit of variant %(variant)s."),
        "outlier": gettext(
            "One unit of variant %(variant)s has %(column)s = %(value)s, which is %(share)s of the group's whole "
            "variation. The group's mean is %(mean)s with it and %(mean_without)s without."
        ),
        "rows": gettext(
            "%(outcome)s has a row for %(share)s of the units; the others count 0. The groups' shares are shown with "
            "the outcome."
        ),
        "rows_by_group": gettext(
            "%(outcome)s has a row for these shares of the units: %(shares)s. The others count 0."
        ),
        "rows_differ": gettext(
            "%(outcome)s has a row for different shares of the groups' units: %(shares)s (p %(p_value)s). The others "
            "count 0, so the average moves with how many have any row at all, even where the rows are alike. For an "
            "average per event compare a ratio of two sums, such as sum:EVENT:PROPERTY:0-6 / count:EVENT:0-6."
        ),
        "unit_of_assignment": gettext(
            "Rows that share %(column)s always share their variant (%(rows)s rows, %(groups)s groups). If groups were "
            "assigned, name them with --cluster %(column)s: without it the intervals are too narrow."
        ),
        "few_clusters": gettext(
            "Variant %(variant)s has %(n)s clusters, which tell as much as %(effective)s of equal size. Below about "
            "%(needed)s a few large ones decide the result: read the randomisation test beside it."
        ),
        "unequal_clusters": gettext(
            "Variant %(variant)s has %(n)s clusters of unequal size, which tell as much as %(effective)s of equal size."
        ),
        "mixed_clusters": gettext(
            "%(n)s of %(clusters)s clusters hold units of several variants. If units of a cluster influence each "
            "other, the groups' difference is blurred; assigning whole clusters avoids it."
        ),
        "imbalance": gettext(
            "The covariates differ between the variants more than chance would give (p %(p_value)s): were they known "
            "before assignment, and was assignment random?"
        ),
        "imbalance_in": gettext(
            "The groups differ in %(column)s, known before assignment, more than chance would give (p %(p_value)s): "
            "was assignment random?"
        ),
        "balance_unknown": gettext("Whether the covariates are balanced between the variants couldn't be computed."),
    }


def _of_nudge() -> dict[FindingCode, str]:
    """The nudge, the behaviour, the placebo."""
    return {
        "behaviour_is_variant": gettext(
            "%(column)s is the same as the variant for every unit: this compares the variants and says nothing more "
            "about a behaviour."
        ),
        "take_up_below_plan": gettext(
            "%(variant)s moves %(take_up)s of the units to the behaviour, at most %(take_up_high)s; "
            "%(take_up_planned)s were planned. This weakens the experiment and says nothing against its verdict: units "
            "needed grow with the square of what is missing, so mend the nudge or plan for more."
        ),
        "no_first_stage": gettext(
            "%(variant)s hardly moves the behaviour: %(take_up)s of the units, at most %(take_up_high)s. Mend the "
            "nudge now; waiting for the outcome won't help."
        ),
        "first_stage_signs": gettext(
            "In some segments %(variant)s keeps units from the behaviour instead of moving them to it: %(segments)s. "
            "The effect among the moved then mixes both; read the segments by themselves."
        ),
        "placebo_serves": gettext(
            "The placebo leaves the behaviour alone: it changed the share doing it by %(take_up_points)s (limits of "
            "two one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, inside ± "
            "%(take_up_bound_points)s). The nudge is compared with it, so that what being nudged does by itself "
            "cancels."
        ),
        "placebo_moves_too": gettext(
            "The placebo can't be shown to leave the behaviour alone: it changed the share doing it by "
            "%(take_up_points)s (limits of two one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, not "
            "inside ± %(take_up_bound_points)s). The nudge is compared with it all the same, so that what being "
            "nudged does by itself cancels; those moved are whom the nudge moves and the placebo doesn't."
        ),
        "placebo_unfit": gettext(
            "The placebo can't be shown to leave the behaviour alone: it changed the share doing it by "
            "%(take_up_points)s (limits of two one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, not "
            "inside ± %(take_up_bound_points)s). The nudge is compared with control."
        ),
        "placebo_unknown": gettext(
            "What the placebo did to the behaviour couldn't be computed. The nudge is compared with control."
        ),
        "placebo_waits": gettext(
            "It isn't shown yet that the placebo leaves the behaviour alone. At looks before the last the "
            "nudge is compared with the placebo whatever it moves; only at the last look can control take its place."
        ),
        "placebo_crossed": gettext(
            "It can't be shown that the placebo leaves the behaviour alone. An effect was found against it "
            "at an earlier look, so the nudge stays compared with the placebo."
        ),
        "placebo_moves_behaviour": gettext(
            "The placebo %(variant)s moved the behaviour itself (%(take_up_points)s), so what it did to the "
            "outcome tells nothing about other paths."
        ),
    }


def _of_plan() -> dict[FindingCode, str]:
    """The plan, and notes on this reading."""
    return {
        "plan_changed": gettext("The plan differs from the one at the start, and no amendment says why."),
        "amended": gettext("The plan was amended after the start (amendments: %(n)s); they stand below."),
        "window_overlap": gettext(
            "The behaviour counts within %(days)s days, but the outcome %(outcome)s begins on day %(day)s: the two "
            "overlap."
        ),
        "split_differs": gettext(
            "The plan gives segments different shares. Effects are compared inside segments and pooled; curves and "
            "profiles of whole groups aren't compared, since the groups differ in their mix of segments."
        ),
        "planned_size_reached": gettext(
            "The planned number of units (%(n)s) is reached: close the enrolment, so that the outcome can mature."
        ),
        "peeked": gettext(
            "Peeked: the outcome was read when %(share)s of the planned units were mature. A fixed plan promises its "
            "error rate for one look at the end, so these intervals are too narrow and may not decide anything."
        ),
        "peeked_before": gettext(
            "Peeked: on %(day)s, with %(share)s of the planned units, somebody read the outcome before the plan "
            "allowed it. If anything was decided on that look, the error rate of this one doesn't hold."
        ),
        "crossed_earlier": gettext(
            "The bound was crossed at the look of %(day)s (%(share)s of the planned units); the finding stands."
        ),
        "guardrail": gettext(
            "The guardrail %(outcome)s moved with %(variant)s: %(estimate)s (%(low)s to %(high)s at any look, p "
            "%(p_value)s). Look whether this is harm."
        ),
        "segments_differ": gettext(
            "The segments differ in the effect on %(outcome)s (p %(p_value)s), even in its sign: %(gains)s gain, "
            "%(losses)s lose. Read the segments before the total."
        ),
        "check_failed": gettext("The check %(check)s failed to run (%(error)s)."),
    }
