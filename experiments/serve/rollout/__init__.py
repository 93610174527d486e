"""Ship the winner: what is rolled out after an experiment's end, and the kill switch (docs/assignment.md)."""
