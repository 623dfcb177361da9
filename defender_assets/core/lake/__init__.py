"""Delta tables: opening, fenced commits, compaction, retention, damage. Callers decide the rows."""
