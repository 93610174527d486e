"""Tell other systems what happened to an experiment."""
