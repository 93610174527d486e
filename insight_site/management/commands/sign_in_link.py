"""`sign_in_link`: a login link for the operator, when passwords are disabled or lost, or the provider is away."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser

from insight_site.signin import accounts
from insight_site.signin.sign_in_record import Event, record
from runs.refusals import Refused
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Print the path of a page that logs one person in, once, within a quarter of an hour."
    # A failing check would block it just when nobody else can log in either.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--remove-second-factor",
            action="store_true",
            help="also remove the second factor, for a user who lost phone and recovery codes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            refuse(Refused("There is no active account {name}.", name=options["username"]))
        if options["remove_second_factor"]:
            Authenticator.objects.filter(user=user).delete()
            record(None, Event.FACTOR_REMOVED, user=user, note="by manage.py")
        record(None, Event.LINK, user=user, how="operator")
        self.stdout.write(accounts.operator_path(user))
