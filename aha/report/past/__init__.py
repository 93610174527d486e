"""What past experiments say of a behaviour, on every page and in every document that shows it."""
