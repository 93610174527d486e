"""`notices`: test delivery without a worker: one message to an e-mail address, or to an Apprise URL."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.management.base import BaseCommand, CommandParser
from django.core.validators import validate_email
from django.utils.translation import gettext

from experiments.webhook_messages import Undelivered
from insight_site.notify.send_safely import send
from runs.refusals import Refused
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Send a test message to an e-mail address or an Apprise URL, and report whether it was accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--test", required=True, metavar="ADDRESS", help="you@example.com, or slack://…")

    def handle(self, *args: Any, **options: Any) -> None:
        address: str = options["test"]
        try:
            if "://" in address:
                send(address, title="Insight", text=gettext("Notices of Insight arrive here."))
            else:
                validate_email(address)
                send_mail("Insight", gettext("Notices of Insight arrive here."), None, [address])
        except ValidationError:
            refuse(Refused("{address}: this is no e-mail address.", at="test", address=address))
        except Refused as refusal:
            refuse(refusal)
        except (Undelivered, OSError) as trouble:  # errors of a mail server are OSErrors too
            refuse(Refused("Not delivered: {trouble}", at="test", trouble=f"{type(trouble).__name__}: {trouble}"[:200]))
        self.stdout.write(gettext("The other side took it. Check whether it is there."))
