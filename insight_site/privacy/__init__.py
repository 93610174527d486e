"""Erase and export persons: the places that apps list (`runs.personal_data`), step by step, with a receipt."""
