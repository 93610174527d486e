"""Ship the winner: rollouts after an experiment's end, and the kill switch (docs/assignment.md)."""
