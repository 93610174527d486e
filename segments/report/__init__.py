"""What people read about segments, one file a page or a form: sentences, tables, charts, documents."""
