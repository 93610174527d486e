"""Who they are: rule and cluster segments."""
