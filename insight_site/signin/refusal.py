"""The page that says why a sign-in was refused."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refusal_page(request: HttpRequest, text: str) -> HttpResponse:
    """A reason, and a link back."""
    return render(request, "signin/refused.html", {"text": text}, status=403)
