"""Write-back: the results of this site as tables, where other programs read them (docs/write_back.md)."""

__all__ = ["writing"]
