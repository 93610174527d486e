"""What people read about studies and moments: sentences, tables, charts, documents."""
