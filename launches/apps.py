from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.kinds import RunKind
from runs.personal_data import PLAIN, UnitTexts
from runs.queue.registry import Task

STAGES = {"curve": _("reading the curve"), "judge": _("asking dates of the past")}


class LaunchesConfig(AppConfig):
    name = "launches"
    verbose_name = _("Launches")
    default_auto_field = "django.db.models.BigAutoField"
    calendar_sources = ("launches.happenings.launches",)
    tasks = (Task("launches.tasks.run_reading", seconds=3600),)
    personal_data = (
        UnitTexts("launches.Launch", ("title", "decision", "outcome", "signup_event", "trait"), _("launches"), PLAIN),
        UnitTexts("launches.Launch", ("took_part", "unmoved"), _("launches"), PLAIN),
        UnitTexts("launches.Launch", ("reached", "spared"), _("launches")),
        UnitTexts("launches.LaunchReading", ("payload", "inputs", "refusal", "early"), _("readings of launches")),
        UnitTexts("launches.LaunchReading", ("reason",), _("readings of launches"), PLAIN),
    )
    without_units = {
        "launches.Launch": "keys, and our own words",
        "launches.LaunchReading": "states, versions of libraries",
    }
    run_kinds = (
        RunKind(
            model="launches.LaunchReading",
            page=("launches:reading", "launch.key", "pk"),
            permission="launches.add_launchreading",
            stages=STAGES,
            task="launches.tasks.run_reading",
            home=("launches:launch", "launch.key"),
            units_of="*",
            schema="launches.judge.LAUNCH",
            draw="launches.report.draw",
            body="launches.views.report_body",
            template="launches/reading_body.html",
            document="launches.report.document",
            may_read="launches.view_launch",
            price="launches.price.price_of_run",
        ),
    )
