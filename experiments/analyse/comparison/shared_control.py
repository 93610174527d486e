"""Errors of the control group that several nudges of one experiment share. Pure."""

from experiments.analyse.protocol import Pair
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments, iv_moments


def shared_control(pair: Pair, moments: IvMoments) -> SharedControl | None:
    """Variances and covariance of control's mean outcome and behaviour; None where the moments aren't a plain contrast.

    A comparison that is pooled over segments, adjusted or clustered weighs control's units in its own way: the
    covariance with another arm is unknown then, and only the first arm is pooled.
    """
    if pair.clustered:
        return None
    control, variant = (arm.take(0, 1) for arm in pair.joints())
    if iv_moments(control, variant) != moments:
        return None
    errors = control.covariance / control.n
    return SharedControl(v_r=float(errors[0, 0]), v_d=float(errors[1, 1]), c_rd=float(errors[0, 1]))
