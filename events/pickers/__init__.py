"""Fields by which people pick events, behaviours, retention and outcomes: search as you type, in words."""
