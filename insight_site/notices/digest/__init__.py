"""The weekly digest: one page for people who never log in."""
