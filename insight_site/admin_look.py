"""The admin's theme: Unfold's settings, with the greys and the blue of the pages (static/insight_site/tokens.css)."""

from typing import Any

from django.templatetags.static import static

COLOURS = {
    "base": {
        "50": "#f6f7f9",
        "100": "#eef1f5",
        "200": "#e2e6ec",
        "300": "#c9d0da",
        "400": "#a3adba",
        "500": "#566072",
        "600": "#46536a",
        "700": "#37435a",
        "800": "#2d3846",
        "900": "#0f151d",
        "950": "#0a0f15",
    },
    "primary": {
        "50": "#f0f7fc",
        "100": "#ddeefa",
        "200": "#b9dcf4",
        "300": "#86c3ec",
        "400": "#6ab6e6",
        "500": "#4aa4de",
        "600": "#0a5cab",
        "700": "#0a5192",
        "800": "#0c4577",
        "900": "#0f3a63",
        "950": "#0a2542",
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Insight",
    "SITE_HEADER": "Insight",
    "SITE_SYMBOL": "insights",
    "SITE_URL": "/",
    # Without one the browser requests /favicon.ico, which doesn't exist.
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("insight_site/icon.svg")}
    ],
    "STYLES": [lambda request: static("insight_site/tokens.css"), lambda request: static("insight_site/admin.css")],
    "SCRIPTS": [lambda request: static("insight_site/admin.js")],
    "THEME": "insight_site.pages.preferences.admin_theme",
    "ENVIRONMENT": "insight_site.access.keys.admin_badge",
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": True,
    "BORDER_RADIUS": "8px",
    "COLORS": COLOURS,
    "DASHBOARD_CALLBACK": "insight_site.admin.sidebar.dashboard",
    "SIDEBAR": {"show_search": True, "navigation": "insight_site.admin.sidebar.navigation"},
    "COMMAND": {"search_models": ["experiments.experiment", "aha.ahamoment", "segments.segment"]},
}
