"""Parts of pages about events: from records to words, tables and charts. Pure."""
