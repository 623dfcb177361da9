"""The entities of alerts: what evidence says of accounts, files, addresses, mails. Devices are next door."""
