"""What things cost, measured: run by hand or with `make bench`. The figures stand in docs/; nothing here is a test."""
