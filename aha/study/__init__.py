"""A study: find candidates, "behaviour X at least Z times within Y days", in new users' events, with their evidence."""
