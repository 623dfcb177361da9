"""From the export to the raw tables: cursors, range reads, batches. Bytes stay as Microsoft wrote them."""
