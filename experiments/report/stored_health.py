"""Sentences about stored experiments: what their checks found, and why the outcome may be read or not. Pure."""

from reporting.words import gettext


def live_template(check: str) -> str:
    """Sentence of a finding of `experiments.analyse.health.stored_checks`, "" for another check."""
    sentences = {
        "sample_ratio_mature": gettext(
            "Among units whose outcome is known the group sizes don't fit the planned split (p %(p_value)s, alarm "
            "below .001): %(counts)s, planned %(expected)s. One group loses more units on the way."
        ),
        "sample_ratio_over_time": gettext(
            "In %(bad)s of %(weeks)s weeks the group sizes don't fit the planned split. Worst: the week of %(week)s "
            "with %(counts)s, planned %(expected)s (p %(p_value)s). An allocation that changed mixes effect and time."
        ),
        "not_admitted_source": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with a client key of %(sender)s, where this "
            "experiment isn't shown. They entered no count and no test. If it is shown there, name the source in the "
            "plan."
        ),
        "not_admitted_arm": gettext(
            "Not admitted: %(n)s exposures of %(units)s units, sent with a client key of %(sender)s, name another "
            "variant than the unit's own. They entered no count and no test: somebody forges, or a client draws wrong."
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
        "unknown_variant": gettext(
            "%(n)s units were exposed to “%(variant)s”, which the plan doesn't have. They were left out."
        ),
        "bucket_mismatch": gettext(
            "%(n)s of %(checked)s stored assignments (%(share)s) differ from what the draw gives. Find out who or what "
            "wrote them."
        ),
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
        "no_signup": gettext(
            "%(n)s exposed units have no signup in the log, with which their days begin. They were left out."
        ),
        "imbalance_in": gettext(
            "The groups differ in %(column)s, known before assignment, more than chance would give (p %(p_value)s): "
            "was assignment random?"
        ),
        "no_first_stage": gettext(
            "%(variant)s hardly moves the behaviour: %(take_up)s of the units, at most %(take_up_high)s. Mend the "
            "nudge now; waiting for the outcome won't help."
        ),
        "take_up_below_plan": gettext(
            "%(variant)s moves %(take_up)s of the units to the behaviour, at most %(take_up_high)s; "
            "%(take_up_planned)s were planned. This weakens the experiment and says nothing against its verdict: units "
            "needed grow with the square of what is missing, so mend the nudge or plan for more."
        ),
        "placebo_serves": gettext(
            "The placebo leaves the behaviour alone: it moved %(take_up)s of the units (limits of two "
            "one-sided tests %(take_up_low)s to %(take_up_high)s, inside ± %(take_up_bound)s). The nudge is compared "
            "with it, so that what being nudged does by itself cancels."
        ),
        "placebo_unfit": gettext(
            "The placebo can't be shown to leave the behaviour alone: it moved %(take_up)s of the "
            "units (limits of two one-sided tests %(take_up_low)s to %(take_up_high)s, not inside ± "
            "%(take_up_bound)s). The nudge is compared with control."
        ),
        "placebo_waits": gettext(
            "It isn't shown yet that the placebo leaves the behaviour alone. At looks before the last the "
            "nudge is compared with the placebo whatever it moves; only at the last look can control take its place."
        ),
        "placebo_crossed": gettext(
            "It can't be shown that the placebo leaves the behaviour alone. An effect was found against it "
            "at an earlier look, so the nudge stays compared with the placebo."
        ),
        "placebo_unknown": gettext(
            "What the placebo did to the behaviour couldn't be computed. The nudge is compared with control."
        ),
        "first_stage_signs": gettext(
            "In some segments %(variant)s keeps units from the behaviour instead of moving them to it: %(segments)s. "
            "The effect among the moved then mixes both; read the segments by themselves."
        ),
        "inflow_stopped": gettext(
            "No unit has been exposed for %(days)s whole days (last on %(day)s), after %(per_day)s a day before. Is "
            "the flag still asked for?"
        ),
        "late_events": gettext(
            "%(n)s events (%(share)s) arrived more than two days after they happened, so recent figures may still move."
        ),
        "guardrail": gettext(
            "The guardrail %(outcome)s moved with %(variant)s: %(estimate)s (%(low)s to %(high)s at any look, p "
            "%(p_value)s). Look whether this is harm."
        ),
        "window_overlap": gettext(
            "The behaviour counts within %(days)s days, but the outcome %(outcome)s begins on day %(day)s: the two "
            "overlap."
        ),
        "plan_changed": gettext("The plan differs from the one at the start, and no amendment says why."),
        "amended": gettext("The plan was amended %(n)s times after the start; the amendments stand below."),
        "peeked": gettext(
            "Peeked: the outcome was read when %(share)s of the planned units were mature. A fixed plan promises its "
            "error rate for one look at the end, so these intervals are too narrow and may not decide anything."
        ),
        "peeked_before": gettext(
            "Peeked: on %(day)s, with %(share)s of the planned units, somebody read the outcome before the plan "
            "allowed it. If anything was decided on that look, the error rate of this one doesn't hold."
        ),
        "split_differs": gettext(
            "The plan gives segments different shares. Effects are compared inside segments and pooled; curves and "
            "profiles of whole groups aren't compared, since the groups differ in their mix of segments."
        ),
        "planned_size_reached": gettext(
            "The planned number of units (%(n)s) is reached: close the enrolment, so that the outcome can mature."
        ),
        "placebo_moves_behaviour": gettext(
            "The placebo %(variant)s moved the behaviour itself (%(take_up)s of the units), so what it did to the "
            "outcome tells nothing about other paths."
        ),
        "segments_differ": gettext(
            "The segments differ in the effect on %(outcome)s (p %(p_value)s), even in its sign: %(gains)s gain, "
            "%(losses)s lose. Read the segments before the total."
        ),
        "crossed_earlier": gettext(
            "The bound was crossed at the look of %(day)s (%(share)s of the planned units); the finding stands."
        ),
    }
    return sentences.get(check, "")


def state_sentence(why: str) -> str:
    """Why the outcome may be read now, or may not; the codes of `experiments.analyse.result.Standing`."""
    sentences = {
        "enrolling": gettext(
            "The outcome is locked: units are still being enrolled, and this plan looks once, at its end. Looking "
            "earlier would find effects that aren't there."
        ),
        "maturing": gettext(
            "The outcome is locked: enrolment has ended, but not every unit has lived through the outcome's days yet."
        ),
        "next_look": gettext(
            "The outcome is locked until the next planned look; looks between would cost more error than was planned."
        ),
        "too_few": gettext("The outcome is locked: intervals for any look need at least 100 mature units per group."),
        "ended": gettext("Enrolment has ended and every outcome is known: this is what the experiment can say."),
        "look": gettext("This is one of the planned looks; its bounds allow for all of them."),
        "any_time": gettext("The plan allows looking at any time; its intervals allow for all looks together."),
        "peek": gettext("A person asked to see the outcome before the plan allows it."),
    }
    return sentences[why]
