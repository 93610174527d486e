"""Tests on units that nothing was done to: how often they call a difference where there is none."""
