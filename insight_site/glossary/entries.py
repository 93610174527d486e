"""The glossary: statistical terms in two plain sentences, for `{% note "cace" %}` and the glossary page. Pure.

The formulas stand in docs/, under the heading that each term names (a test looks it up).
"""

import re
from dataclasses import dataclass

from insight_site.glossary.causes import cause, instrument, reading
from insight_site.glossary.deciding import acting, trust
from insight_site.glossary.terms import Term, discovery, evidence, past_evidence, segments, staying
from reporting.words import gettext


@dataclass(frozen=True)
class Section:
    """A section of related terms."""

    slug: str
    title: str
    terms: tuple[Term, ...]


# Which terms the parts of a page need, by the part's slug; a candidate's parts carry its number in front, "c1-heat",
# and are listed as "c-heat" where another page has a part of the same name.
SHOWN_WITH: dict[str, tuple[str, ...]] = {
    "curve": ("retention", "plateau", "interval"),
    "weeks": ("retention", "interval"),
    "ranking": ("shap",),
    "swarm": ("shap",),
    "nulls": ("null", "p-value", "adjusted-p"),
    "controls": ("negative-control",),
    "stack": ("abc", "j"),
    "c-heat": ("j", "as-good"),
    "pareto": ("precision-recall", "phi"),
    "dose": ("jump",),
    "honesty": ("hold-out",),
    "ladder": ("ladder", "daily-trials", "interval"),
    "maps": ("pca", "umap"),
    "tsne": ("umap",),
    "scorecard": ("pca", "umap"),
    "numbers": ("silhouette",),
    "null": ("null", "p-value"),
    "stability": ("stability",),
    "heat": ("standardised-difference",),
    "retention": ("retention", "interval"),
    "drivers": ("interval", "adjusted-p"),
    "daily-curve": ("retention", "interval"),
    "daily-difference": ("interval",),
    "survival": ("retention", "interval"),
    "segments-1": ("shrinkage", "interval", "adjusted-p"),
    "first-stage": ("take-up",),
    "direct-1": ("breakdown", "anderson-rubin", "placebo"),
    "everybody-1": ("everybody", "cace", "anderson-rubin"),
    "margins": ("margin-of-nudges", "anderson-rubin"),
    "policy-1": ("policy", "interval"),
    "path": ("sequential",),
    "outcomes": ("p-value", "adjusted-p", "lift", "guardrail"),
    "decision": ("guardrail",),
    "adjusted": ("cuped", "predicted-outcome"),
    "saturation": ("spillover", "cluster", "interval"),
}


def shown_with(part: str) -> tuple[str, ...]:
    """Slugs of the terms that a part of a page needs."""
    candidates = re.sub(r"^c\d+-", "c-", part)
    return SHOWN_WITH.get(candidates) or SHOWN_WITH.get(candidates.removeprefix("c-"), ())


def sections() -> tuple[Section, ...]:
    """The glossary in the order of the work: retention, discovery, segments, causes."""
    return (
        Section("staying", gettext("Staying and leaving"), staying()),
        Section("discovery", gettext("What may matter"), discovery()),
        Section("evidence", gettext("How much to believe it"), (*evidence(), *past_evidence())),
        Section("segments", gettext("Who plays how"), segments()),
        Section("experiments", gettext("Whether it is the cause"), (*cause(), *instrument())),
        Section("acting", gettext("Before the start and after the verdict"), acting()),
        Section("trust", gettext("Why a result can be believed"), trust()),
        Section("reading", gettext("Reading a result"), reading()),
    )


def find(slug: str) -> Term:
    """Find one term.

    Raises:
        KeyError: there is no such term; the template that uses it is wrong.
    """
    return {term.slug: term for section in sections() for term in section.terms}[slug]
