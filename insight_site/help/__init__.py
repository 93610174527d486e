"""Help where it is needed: a short tour of each main page, and the pages of method that terms link to."""
