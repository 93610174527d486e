"""Pages that answer at once: retention, behaviours over time, times within days, the weeks of users, funnels."""
