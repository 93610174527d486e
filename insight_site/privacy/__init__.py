"""Erase and export personal data: in the places that apps list (`runs.personal_data`), step by step, with a receipt."""

__all__ = ["api", "erasure", "erasure_requests", "export"]
