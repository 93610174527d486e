"""Keep what people made in order: tags, owners, the archive, what uses what, and search."""
