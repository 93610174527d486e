"""The plan of an experiment: the record, the rules that check it, its states, and the services that change it."""
