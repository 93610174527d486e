"""What a segmentation shows of itself before its end. Pure."""
