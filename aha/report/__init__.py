"""Reports of studies and moments: sentences, tables, charts, JSON documents."""
