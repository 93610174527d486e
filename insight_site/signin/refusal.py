"""The page that says why nobody was signed in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refusal_page(request: HttpRequest, text: str) -> HttpResponse:
    """One sentence, and the way back."""
    return render(request, "signin/refused.html", {"text": text}, status=403)
