"""Pages for the steps of a plan: forms, problems beside their fields, and costs of each choice."""
