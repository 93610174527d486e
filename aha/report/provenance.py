"""What a study was asked, on which data, with which samples and seeds: printed beside every result. Pure."""

from aha.study.result import Asked, Report
from events.metric_sentences import sentence
from events.metrics import parse_retention
from reporting.numbers import count
from reporting.shown_names import shown
from reporting.table import Table
from reporting.words import gettext, reason_words


def asked_sentences(asked: Asked) -> tuple[str, ...]:
    """What was asked and on which data: printed beside every result."""
    inputs = asked.inputs
    clock = (
        gettext("Days are 24 hours from the signup event {event}; the data end at {end} UTC.")
        if inputs.day_mode == "rolling"
        else gettext("Days are calendar days in {zone} from the signup event {event}; the data end at {end} UTC.")
    )
    valid = ", ".join(map(str, asked.valid_days))
    found = [
        sentence(inputs.definition),
        clock.format(event=shown(inputs.signup_event), end=asked.data_end.replace("T", " ")[:16], zone=asked.time_zone),
        gettext("Behaviours are counted within {days} days; all on one population.").format(days=valid),
    ]
    if asked.left_out:
        text = gettext("{n} further event names that fewer users did were not counted.")
        found.append(text.format(n=asked.left_out))
    return tuple(found)


def definition_sentence(retention: str) -> str:
    """What a stored retention means."""
    return sentence(parse_retention(retention))


def invalid_days(report: Report) -> Table | None:
    """Days that were asked for and not computed; None when all were."""
    if not report.asked.invalid_days:
        return None
    rows = tuple((str(row.days), reason_words(row.reason)) for row in report.asked.invalid_days)
    return Table(gettext("Days that were not computed"), (gettext("within days"), gettext("reason")), rows)


def samples(report: Report) -> Table:
    """How many units each computation used, and its seed."""
    names = {
        "eligible": gettext("cells"),
        "sample": gettext("nulls, choice, steps, ladder"),
        "daily": gettext("daily trials"),
        "model": gettext("models"),
        "explained": gettext("SHAP"),
    }
    rows = [(names.get(name, name), count(n), "") for name, n in report.samples.items()]
    rows += [(gettext("seed of {name}").format(name=name), "", str(seed)) for name, seed in report.seeds.items()]
    columns = (gettext("computation"), gettext("users"), gettext("seed"))
    return Table(gettext("Samples and seeds"), columns, tuple(rows))
