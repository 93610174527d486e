"""Model of a self-test."""

from django.utils.translation import gettext_lazy as _

from runs.models import Run


class SelfTest(Run):
    """Effects of known size planted into a copy of the log, and what Insight found."""

    class Meta(Run.Meta):
        verbose_name = _("self-test")
        verbose_name_plural = _("self-tests")

    def __str__(self) -> str:
        return str(_("Self-test {number}")).format(number=self.pk)
