"""Exports: pictures, files of reports, share links."""
