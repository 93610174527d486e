"""Views that a web worker loads with the first request that asks for one, not when it starts.

A table of routes that imported its views would bring all that any page computes with into each worker: seconds and
some 200 MB, for a worker that answers flags or shows the page to sign in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from django.http import HttpRequest
from django.http.response import HttpResponseBase

type View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Views:
    """The views of one module, by their names: `views_of("aha.views").study_list` goes into a table of routes.

    A wrong name is found by its first request; `tests/insight_site/test_start.py` asks for all of them.
    """

    module: str

    def __getattr__(self, name: str) -> View:
        if name.startswith("__"):
            raise AttributeError(name)

        def view(request: HttpRequest, *args: object, **words: object) -> HttpResponseBase:
            return loaded(view)(request, *args, **words)

        # Django puts both into what it knows of a route, and asks a view for nothing else before it calls it.
        view.__name__ = view.__qualname__ = name
        view.__module__ = self.module
        return view


def views_of(module: str) -> Views:
    """The views of the module with this dotted name, which isn't loaded yet."""
    return Views(module)


def loaded(view: View) -> View:
    """What a route of `views_of` leads to.

    Raises:
        ImportError, AttributeError: there is no such module or view.
    """
    found: View = getattr(import_module(view.__module__), view.__name__)
    return found
