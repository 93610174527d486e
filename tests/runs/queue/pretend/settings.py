"""The site's settings with one more app."""

from insight_site.settings import *  # noqa: F403
from insight_site.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "tests.runs.queue.pretend.apps.PretendConfig"]
