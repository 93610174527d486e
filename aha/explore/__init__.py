"""Interactive pages: retention, behaviours over time, times within days, weekly user states, funnels."""
