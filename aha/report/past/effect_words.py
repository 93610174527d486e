"""Effects of a behaviour and the sets around them as people read them. Pure."""

from reporting.numbers import effect_limits, effect_text
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.arms_set import Piece
from stats.results import NotComputable, computable


def pieces_of(found: AndersonRubin) -> tuple[Piece, ...]:
    """An Anderson-Rubin set as disjoint intervals; None is an unbounded side."""
    if found.shape is Shape.EMPTY:
        return ()
    if found.shape is Shape.RAYS:
        return ((None, found.low), (found.high, None))
    return ((found.low, found.high),)


def pieces_text(pieces: tuple[Piece, ...], *, share: bool) -> str:
    """A set of effects in words, unbounded ones included."""
    if not pieces:
        return gettext("empty: no one effect fits all of them")
    return gettext(" or ").join(_piece(*piece, share=share) for piece in pieces)


def _piece(low: float | None, high: float | None, *, share: bool) -> str:
    if low is not None and high is not None:
        return effect_limits(low, high, share)
    if low is not None:
        return gettext("from %(low)s on") % {"low": effect_text(low, share=share)}
    if high is not None:
        return gettext("up to %(high)s") % {"high": effect_text(high, share=share)}
    return gettext("every value is possible")


def effect_cell(estimate: float | NotComputable, *, share: bool) -> str:
    """An effect with its sign, or the reason why there is none."""
    return effect_text(estimate, share=share, plus=True) if computable(estimate) else reason_words(estimate)
