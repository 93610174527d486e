"""Reports on experiments, part by part: sentence, table, chart, JSON document."""
