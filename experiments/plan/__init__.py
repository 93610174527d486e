"""Plans of experiments: the record, its validation, its states, and the services that change it."""
