"""Pages about several experiments: the calibration of promises, and two side by side."""
