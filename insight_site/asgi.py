"""ASGI entry point. WSGI is faster for our endpoints (see docs/adr/0001); this is for hosts that need ASGI."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
application = get_asgi_application()
