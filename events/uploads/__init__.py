"""Import by upload: receive files, map their columns, and run the import."""
