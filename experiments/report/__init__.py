"""What people read about an experiment, part by part: sentence, table, chart, document."""
