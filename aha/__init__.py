"""What may matter: the search for AHA moments."""
