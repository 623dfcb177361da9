"""From the export to the raw tables: cursors, range reads, batches. The bytes are stored unchanged."""
