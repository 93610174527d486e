"""A study: from the events of new users to candidates, "behaviour X at least Z times within Y days", with evidence."""
