"""Pages of experiments on the site: list, one page with five tabs, its moves, comparison, calibration."""
