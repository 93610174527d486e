"""Form fields to pick events, behaviours, retention and outcomes: with autocomplete and in words."""
