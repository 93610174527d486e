"""WSGI entry point for gunicorn and similar servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
_site = get_wsgi_application()  # first: it reads the settings and loads the apps

from insight_site.machine.dispatch import with_doors  # noqa: E402
from insight_site.operate import tracing  # noqa: E402

application = with_doors(_site)
if tracing.is_on():
    application = tracing.traced(application)
