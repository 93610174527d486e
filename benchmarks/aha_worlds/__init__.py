"""AHA worlds: made-up users of whom the truth is known, and what methods say of them. The page: docs/aha_worlds.md."""
