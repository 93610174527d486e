"""Ship it or not: what is known of the guardrails, and the decision table that the plan registered."""
