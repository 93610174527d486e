"""Segmentation: from counts of units' behaviours to clusters, their stability, profiles and drivers."""
