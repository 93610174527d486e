"""Help: a short tour of each main page, and the method pages that glossary terms link to."""
