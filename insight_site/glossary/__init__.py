"""The glossary: every statistical term of the pages, in two plain sentences."""
