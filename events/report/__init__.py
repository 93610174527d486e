"""Parts of pages about events: records in, words, tables and charts out. Pure."""
