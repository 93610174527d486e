"""Words for outcomes from the catalogue: their version, and whether the metric has changed since."""

from events.metric_catalogue.words import since_words, version_words
from experiments.metric_choice.taking_over import chosen_of
from experiments.models import Experiment


def chosen_sentences(experiment: Experiment) -> list[str]:
    """One text per outcome: "Revenue, version 2 (certified)", and whether a newer version exists."""
    found = []
    for version in chosen_of(experiment).values():
        since = since_words(version)
        found.append(f"{version_words(version)}. {since}" if since else version_words(version))
    return found
