"""An Azure Storage account: who signs in, what a SAS allows, what a refusal means. Blobs are read in `export`."""
