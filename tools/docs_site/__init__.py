"""The documentation site: its sources, from docs/ and the code; files added after the build; a link check."""
