"""An Azure Storage account: address, authentication, SAS permissions, error advice. Blobs are read in `export`."""
