"""Comparisons of arms with one interface, over a file's rows or over a warehouse's cell moments."""

__all__ = ["by_segment", "cluster_cells", "file_rows", "lab_cells", "protocol", "warehouse_cells"]
