"""Pages of experiments: list, one page with tabs, actions, comparison, calibration."""
