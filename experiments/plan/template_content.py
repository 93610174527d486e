"""Content of a template, and how a draft differs from it.

Not copied: key, flag, name, seed, dates and holdout, which each draft has itself, and approvals.
"""

import json
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan.record import COPIED

OWN = ("flag_key", "name", "holdout_id")  # each draft has its own, beside what no copy of a plan takes over
FIELDS = tuple(name.removesuffix("_id") for name in COPIED if name not in OWN)
ROWS = ("variants", "audience")
FIXABLE = (*FIELDS, *ROWS)
ARM = ("key", "name", "value", "weight", "role", "dose")
WHO = ("segment_key", "coverage", "weights")

type Content = dict[str, Any]


def content_of(experiment: Experiment) -> Content:
    """A plan's content for a template, as plain JSON: `fields` by name, `variants` and `audience` in order.

    Moment and layer are stored by key, so that the content doesn't depend on row ids.
    """
    found = {
        "fields": {name: _plain(getattr(experiment, name)) for name in FIELDS},
        "variants": list(experiment.variants.order_by("position").values(*ARM)),
        "audience": list(experiment.audience.order_by("position").values(*WHO)),
    }
    plain: Content = json.loads(json.dumps(found, default=str))
    return plain


def value_of(content: Content, name: str) -> Any:
    """Value of one of `FIXABLE` in a content; None for a field that it doesn't have."""
    return content.get(name) if name in ROWS else content.get("fields", {}).get(name)


def differences(before: Content, after: Content) -> list[tuple[str, Any, Any]]:
    """Name, old and new value of each of `FIXABLE` that differs between two contents and that both have."""
    known = [name for name in FIXABLE if name in ROWS or (name in before["fields"] and name in after["fields"])]
    return [(name, old, new) for name in known if (old := value_of(before, name)) != (new := value_of(after, name))]


def label_of(name: str) -> str:
    """Display name of one of `FIXABLE`."""
    rows = {"variants": _("Variants"), "audience": _("Audience")}
    if name in rows:
        return rows[name]
    column: Any = Experiment._meta.get_field(name)
    return capfirst(str(column.verbose_name))


def _plain(value: Any) -> Any:
    return getattr(value, "key", value)
