from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.kinds import RunKind
from runs.personal_data import PLAIN, UnitFiles, UnitTexts
from runs.queue.registry import Task

STAGES = {
    "curve": _("reading the curve"),
    "judge": _("asking dates of the past"),
    "past": _("reading past days"),
    "play": _("playing the rules"),
}
GROWTH_STAGES = {"weeks": _("reading weeks of activity"), "forecast": _("forecasting, also from the past")}


class LaunchesConfig(AppConfig):
    name = "launches"
    verbose_name = _("Launches")
    default_auto_field = "django.db.models.BigAutoField"
    calendar_sources = ("launches.happenings.launches",)
    tasks = (
        Task("launches.tasks.run_reading", seconds=3600),
        Task("launches.tasks.run_balance", seconds=3600),
        Task("launches.tasks.run_growth_forecast", seconds=3600),
    )
    personal_data = (
        UnitTexts("launches.Launch", ("title", "decision", "outcome", "signup_event", "trait"), _("launches"), PLAIN),
        UnitTexts("launches.Launch", ("took_part", "unmoved"), _("launches"), PLAIN),
        UnitTexts("launches.Launch", ("reached", "spared"), _("launches")),
        UnitTexts("launches.LaunchReading", ("payload", "inputs", "refusal", "early"), _("readings of launches")),
        UnitTexts("launches.LaunchReading", ("reason",), _("readings of launches"), PLAIN),
        UnitTexts("launches.BalanceRun", ("payload", "inputs", "refusal", "early"), _("event balances")),
        UnitTexts("launches.BalanceRun", ("title", "reason"), _("event balances"), PLAIN),
        UnitFiles("event balances", _("pasts of event balances"), "launches.balance.kept.remove"),
        UnitTexts("launches.GrowthForecast", ("payload", "inputs", "refusal", "early"), _("growth forecasts")),
        UnitTexts("launches.GrowthForecast", ("reason",), _("growth forecasts"), PLAIN),
    )
    without_units = {
        "launches.Launch": "keys, and our own words",
        "launches.LaunchReading": "states, versions of libraries",
        "launches.BalanceRun": "states, versions of libraries",
        "launches.GrowthForecast": "states, versions of libraries",
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
        RunKind(
            model="launches.BalanceRun",
            page=("launches:balance", "pk"),
            permission="launches.add_balancerun",
            stages=STAGES,
            task="launches.tasks.run_balance",
            home=("launches:balances",),
            units_of="*",
            schema="launches.balance.simulation.BALANCE",
            body="launches.views.balance_body",
            template="launches/balance/body.html",
            document="launches.balance.report.stored_document",
            may_read="launches.view_balancerun",
            price="launches.price.price_of_balance",
        ),
        RunKind(
            model="launches.GrowthForecast",
            page=("growth:forecast", "pk"),
            permission="launches.add_growthforecast",
            stages=GROWTH_STAGES,
            task="launches.tasks.run_growth_forecast",
            home=("growth:newest",),
            units_of="*",
            schema="launches.growth.model.GROWTH",
            draw="launches.growth.report.draw",
            body="launches.growth_views.forecast_body",
            template="growth/forecast_body.html",
            document="launches.growth.report.document",
            may_read="launches.view_growthforecast",
            price="launches.price.price_of_growth",
        ),
    )
