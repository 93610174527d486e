"""The documentation site: its sources, made of docs/ and of the code; what is written beside its pages; a check."""
