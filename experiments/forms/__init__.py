"""Forms and fields of experiments shared by the admin and the site."""
