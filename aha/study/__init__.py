"""Look for numbers that may matter: from the events of new users to candidates with their evidence."""
