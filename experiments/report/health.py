"""Sentences for the findings of health checks, one for each code of `analyse.findings`. Pure, without SciPy."""

from experiments.analyse.codes import Finding, FindingCode, Severity
from experiments.report.verdict import figures_text
from reporting.words import gettext, later

SENTENCES: dict[FindingCode, str] = {
    # Split of units between arms; checks of `experiments.analyse.health.sample_ratio`.
    "sample_ratio": later(
        "The group sizes don't fit the planned split (p %(p_value)s, alarm below .001): %(counts)s, planned "
        "%(expected)s. Find out why before anything else."
    ),
    "sample_ratio_watch": later(
        "The group sizes fit the planned split only barely (p %(p_value)s; the alarm is below .001): %(counts)s, "
        "planned %(expected)s."
    ),
    "sample_ratio_small": later("With %(n)s assigned users the split can't be checked (it needs 100)."),
    "sample_ratio_mature": later(
        "Among users whose outcome is known the group sizes don't fit the planned split (p %(p_value)s, alarm below "
        ".001): %(counts)s, planned %(expected)s. One group loses more users on the way."
    ),
    "sample_ratio_by_segment": later(
        "Inside segments the group sizes don't fit the planned split: %(bad)s of %(segments)s segments alarm. Worst: "
        "%(segment)s with %(counts)s, planned %(expected)s (p %(p_value)s)."
    ),
    "sample_ratio_over_time": later(
        "In %(bad)s of %(weeks)s weeks the group sizes don't fit the planned split. Worst: the week of %(week)s with "
        "%(counts)s, planned %(expected)s (p %(p_value)s). An allocation that changed mixes effect and time."
    ),
    "unplanned_units": later("%(n)s users are in group %(variant)s, whose planned share is 0."),
    "several_variants": later("%(n)s users (%(share)s) were seen in more than one group. They were left out."),
    "identity_conflicts": later(
        "%(n)s people (%(share)s) had been in different groups under two ids before they logged in. They were left "
        "out: ask for a flag with both ids, or show the experiment to one kind of id alone."
    ),
    "met_several": later(
        "%(n)s users (%(share)s) were exposed to more than one group. They count in the first one, which makes "
        "effects seem a little smaller."
    ),
    "joined_several": later(
        "%(n)s people (%(share)s) were in different groups under two ids before they logged in. They count in the "
        "first one, which makes effects seem a little smaller. Ask for a flag with both ids, or show the experiment "
        "to one kind of id alone."
    ),
    "first_variants": later(
        "Of the %(n)s users exposed to more than one group, too many met the same one first (p %(p_value)s, alarm "
        "below .001): %(counts)s, expected %(expected)s. Either a group changes who meets another one, or one is "
        "reported before the real one is known."
    ),
    "unknown_variant": later(
        "%(n)s users were exposed to “%(variant)s”, which the plan doesn't have. They were left out."
    ),
    "bucket_mismatch": later(
        "%(n)s of %(checked)s stored assignments (%(share)s) differ from what the draw gives. Find out who or what "
        "wrote them."
    ),
    # Senders of exposures.
    "not_admitted_source": later(
        "Not admitted: %(n)s exposures of %(units)s users, sent with a client key of %(sender)s, where this "
        "experiment isn't shown. They enter no count and no test. If it is shown there, name the source in the plan."
    ),
    "not_admitted_arm": later(
        "Not admitted: %(n)s exposures of %(units)s users, sent with a client key of %(sender)s, name another group "
        "than the user's own. They enter no count and no test: somebody forges, or a client draws wrongly."
    ),
    "not_admitted_cluster": later(
        "Not admitted: %(n)s exposures of %(units)s users, sent with a client key of %(sender)s, name no cluster, "
        "and clusters are drawn. They entered no count and no test."
    ),
    "not_admitted_unknown": later(
        "Not admitted: %(n)s exposures of %(units)s users, sent with client keys. These users were unknown before: "
        "no event of another kind, and no evaluation. They enter no count and no test. Anybody can invent ids, so an "
        "app should send an event, such as a page view, before the exposure."
    ),
    "not_admitted_address": later(
        "Not admitted: %(n)s exposures of %(units)s users, sent with client keys. Their ids came in with more new "
        "ids of one address in one hour than may count. They entered no count and no test: somebody invents ids, or "
        "very many people share an address. Behind a proxy, BEHIND_PROXY must be set."
    ),
    "unverified_apart": later(
        "%(n)s users (%(share)s) are known only by client keys, which anybody can read; %(silent)s of them did "
        "nothing else. They decide nothing, since servers named enough of the others. The analysis with them stands "
        "beside this one."
    ),
    "unverified_apart_silent": later(
        "%(n)s users (%(share)s) are known only by client keys, which anybody can read, and more of them did nothing "
        "else than of the other users: %(silent)s against %(others_silent)s (p %(p_value)s). They may be invented, "
        "and decide nothing. The analysis with them stands beside this one."
    ),
    "unverified": later(
        "%(n)s users (%(share)s) are known only by a client key, which anybody can read, while others were reported "
        "by servers; %(silent)s of them did nothing else. The analysis without them stands beside this one."
    ),
    "unverified_silent": later(
        "%(n)s users (%(share)s) are known only by a client key, which anybody can read, and more of them did "
        "nothing else than of the other users: %(silent)s against %(others_silent)s (p %(p_value)s). They may be "
        "invented. The analysis without them stands beside this one."
    ),
    # Units and events present or missing.
    "empty_variant": later("Group %(variant)s has no users."),
    "tiny_variant": later("Group %(variant)s has only %(n)s users; a verdict needs %(needed)s."),
    "missing_variant": later("%(n)s rows (%(share)s) have no group. They were left out."),
    "missing_unit": later("%(n)s rows (%(share)s) have no user id. They were left out."),
    "missing_cluster": later("%(n)s rows (%(share)s) have no cluster. They were left out."),
    "unexposed": later(
        "%(n)s assigned users (%(share)s) were never exposed to their group. They aren't counted; the effect is that "
        "on users who were."
    ),
    "unexposed_differs": later(
        "%(n)s assigned users (%(share)s) were never exposed to their group, and the groups differ in it (p "
        "%(p_value)s). Is the exposure logged alike in all groups?"
    ),
    "silent": later(
        "%(n)s exposed users (%(share)s) have no event of their own at all: do their events arrive in Insight?"
    ),
    "silent_differs": later(
        "%(n)s exposed users (%(share)s) have no event of their own, and the groups differ in it (p %(p_value)s): "
        "one group's events may be lost."
    ),
    "no_cluster": later(
        "%(n)s exposed users name no cluster, though whole clusters are drawn. They were left out: send the cluster "
        "with each exposure."
    ),
    "no_signup": later(
        "%(n)s exposed users have no signup in the log, with which their days begin. They were left out."
    ),
    "inflow_stopped": later(
        "No user has been exposed for %(days)s whole days (last on %(day)s), after %(per_day)s a day before. Is the "
        "flag still asked for?"
    ),
    "late_events": later("%(share)s of events arrive more than two days late (%(n)s). Recent numbers may change."),
    # Values, clusters and balance.
    "missing_values": later("%(column)s has no value for %(n)s users (%(share)s)."),
    "missing_differs": later(
        "%(column)s has no value for %(n)s users (%(share)s), and the groups differ in it (p %(p_value)s): the "
        "comparison of those who have one may mislead."
    ),
    "no_variation": later("%(column)s is %(value)s for every user of group %(variant)s."),
    "outlier": later(
        "One user of group %(variant)s has %(column)s = %(value)s, which is %(share)s of the group's whole "
        "variation. The group's mean is %(mean)s with it and %(mean_without)s without."
    ),
    "rows": later(
        "%(outcome)s has a row for %(share)s of the users; the others count 0. The groups' shares are shown with the "
        "outcome."
    ),
    "rows_by_group": later("%(outcome)s has a row for these shares of the users: %(shares)s. The others count 0."),
    "rows_differ": later(
        "%(outcome)s has a row for different shares of the groups' users: %(shares)s (p %(p_value)s). The others "
        "count 0, so the average changes with how many have any row at all, even where the rows are alike. For an "
        "average per event compare a ratio of two sums, such as sum:EVENT:PROPERTY:0-6 / count:EVENT:0-6."
    ),
    "unit_of_assignment": later(
        "Rows that share %(column)s always share their group (%(rows)s rows, %(groups)s groups). If groups were "
        "assigned, name them with --cluster %(column)s: without it the intervals are too narrow."
    ),
    "few_clusters": later(
        "Group %(variant)s has %(n)s clusters, with the information of %(effective)s of equal size. Below about "
        "%(needed)s a few large ones decide the result: read the randomisation test beside it."
    ),
    "unequal_clusters": later(
        "Group %(variant)s has %(n)s clusters of unequal size, with the information of %(effective)s of equal size."
    ),
    "mixed_clusters": later(
        "%(n)s of %(clusters)s clusters hold users of several groups. If users of a cluster influence each other, "
        "the groups' difference is blurred; assigning whole clusters avoids it."
    ),
    "imbalance": later(
        "The covariates differ between the groups more than chance would give (p %(p_value)s): were they known "
        "before assignment, and was assignment random?"
    ),
    "imbalance_in": later(
        "The groups differ in %(column)s, known before assignment, more than chance would give (p %(p_value)s): was "
        "assignment random?"
    ),
    "balance_unknown": later("Whether the covariates are balanced between the groups couldn't be computed."),
    # The nudge, the behaviour, the placebo.
    "behaviour_is_variant": later(
        "%(column)s is the same as the group for every user: this compares the groups and says nothing more about a "
        "behaviour."
    ),
    "take_up_below_plan": later(
        "%(take_up)s of users did it because of %(variant)s, at most %(take_up_high)s; %(take_up_planned)s were "
        "planned. This weakens the experiment and says nothing against its verdict. The users needed grow with the "
        "square of what is missing, so improve the nudge or plan for more."
    ),
    "no_first_stage": later(
        "%(variant)s hardly changes the behaviour: %(take_up)s of users did it because of the nudge, at most "
        "%(take_up_high)s. Improve the nudge now; waiting for the outcome won't help."
    ),
    "first_stage_signs": later(
        "In some segments %(variant)s prevents the behaviour instead of causing it: %(segments)s. The behaviour's "
        "effect then mixes both directions; read the segments by themselves."
    ),
    "placebo_serves": later(
        "The placebo leaves the behaviour alone: it changed the share doing it by %(take_up_points)s (limits of two "
        "one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, inside ± %(take_up_bound_points)s). The "
        "nudge is compared with it, so that what being nudged does by itself cancels."
    ),
    "placebo_moves_too": later(
        "The placebo can't be shown to leave the behaviour alone: it changed the share doing it by "
        "%(take_up_points)s (limits of two one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, not "
        "inside ± %(take_up_bound_points)s). The nudge is still compared with it, so what the nudge does by itself "
        "cancels. The effect is that on users who did it because of the nudge and wouldn't have because of the "
        "placebo."
    ),
    "placebo_unfit": later(
        "The placebo can't be shown to leave the behaviour alone: it changed the share doing it by %(take_up_points)s "
        "(limits of two one-sided tests %(take_up_low_points)s to %(take_up_high_points)s, not inside ± "
        "%(take_up_bound_points)s). The nudge is compared with control."
    ),
    "placebo_unknown": later(
        "What the placebo did to the behaviour couldn't be computed. The nudge is compared with control."
    ),
    "placebo_waits": later(
        "It isn't shown yet that the placebo leaves the behaviour alone. At interim analyses the nudge is compared "
        "with the placebo whatever it changes; only at the last analysis can control take its place."
    ),
    "placebo_crossed": later(
        "It can't be shown that the placebo leaves the behaviour alone. An effect was found against it at an earlier "
        "analysis, so the nudge stays compared with the placebo."
    ),
    "placebo_moves_behaviour": later(
        "The placebo %(variant)s changed the behaviour itself (%(take_up_points)s), so its effect on the outcome "
        "says nothing about other paths."
    ),
    # The plan, and notes on this reading.
    "plan_changed": later("The plan differs from the one at the start, and no amendment says why."),
    "amended": later("The plan was amended after the start (amendments: %(n)s). Each is listed below."),
    "window_overlap": later(
        "The behaviour counts within %(days)s days, but the outcome %(outcome)s begins on day %(day)s: the two overlap."
    ),
    "split_differs": later(
        "The plan gives segments different shares. Effects are compared inside segments and pooled. Curves and "
        "profiles of whole groups aren't compared, since the groups differ in their mix of segments."
    ),
    "planned_size_reached": later(
        "The planned number of users (%(n)s) is in: close the enrolment, so that outcomes become final."
    ),
    "peeked": later(
        "Opened early: the outcome was read when %(share)s of the planned users had a known outcome. The error rate "
        "of a fixed plan holds for one analysis at the end, so these intervals are too narrow and may not decide "
        "anything."
    ),
    "peeked_before": later(
        "Opened early: on %(day)s, with %(share)s of the planned users, somebody read the outcome before the plan "
        "allowed it. If anything was decided then, the error rate of this analysis doesn't hold."
    ),
    "crossed_earlier": later(
        "The bound was crossed at the analysis of %(day)s (%(share)s of the planned users); the finding stands."
    ),
    "guardrail": later(
        "The guardrail %(outcome)s changed with %(variant)s: %(estimate)s (%(low)s to %(high)s at any time, p "
        "%(p_value)s). Check whether this is harm."
    ),
    "segments_differ": later(
        "The segments differ in the effect on %(outcome)s (p %(p_value)s), even in its sign: %(gains)s gain, "
        "%(losses)s lose. Read the segments before the total."
    ),
    "check_failed": later("The check %(check)s failed to run (%(error)s)."),
}


def finding_sentence(finding: Finding) -> str:
    """A health finding as one plain sentence."""
    return gettext(SENTENCES[finding.check]) % figures_text(finding.details)


def severity_words(severity: Severity) -> str:
    """Severity of a finding in a word."""
    names = {Severity.ERROR: gettext("Problem"), Severity.WARNING: gettext("Caution"), Severity.INFO: gettext("Note")}
    return names[severity]
