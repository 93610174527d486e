"""Lazily imported views: a web worker loads a module of views at its first request, not when it starts.

If the URL tables imported their views, each worker would load every library that any page computes with: seconds and
some 200 MB, also for a worker that only evaluates flags or shows the sign-in page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from django.http import HttpRequest
from django.http.response import HttpResponseBase

type View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Views:
    """The views of one module by name: `views_of("aha.views").study_list` goes into a URL table.

    A wrong name is found by its first request; `tests/insight_site/test_start.py` asks for all of them.
    """

    module: str

    def __getattr__(self, name: str) -> View:
        if name.startswith("__"):
            raise AttributeError(name)

        def view(request: HttpRequest, *args: object, **words: object) -> HttpResponseBase:
            return loaded(view)(request, *args, **words)

        # Django sets both attributes on a view; it reads nothing else of a view before calling it.
        view.__name__ = view.__qualname__ = name
        view.__module__ = self.module
        return view


def views_of(module: str) -> Views:
    """A lazy proxy for the views of the module with this dotted name; nothing is imported yet."""
    return Views(module)


def loaded(view: View) -> View:
    """Import and return the view behind a route made with `views_of`.

    Raises:
        ImportError, AttributeError: there is no such module or view.
    """
    found: View = getattr(import_module(view.__module__), view.__name__)
    return found
