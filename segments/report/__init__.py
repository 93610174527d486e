"""Reports of segments, one file per page or form: sentences, tables, charts, JSON documents."""
