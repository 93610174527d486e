"""AHA moments: the search for behaviours that go with retention, their evidence, and the moments that teams test."""
