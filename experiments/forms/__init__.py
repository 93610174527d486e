"""Forms of experiments that the admin and the site share, and their fields."""
