"""The entities in an alert's evidence: accounts, files, addresses, mails … Devices are in `devices`."""
