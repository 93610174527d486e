"""The plan of an experiment as one page to read, comment, print and export."""

__all__ = ["document", "known_numbers", "other_words", "plan_summary", "review_checks", "review_panel"]
