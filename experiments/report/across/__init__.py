"""Pages about several experiments: calibration of promises, overlap, and two experiments side by side."""
