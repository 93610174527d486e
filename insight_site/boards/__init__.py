"""Boards: pages of cards of saved views, moments and experiments, of one person or of the team."""

__all__ = ["board_services", "cards", "views"]
