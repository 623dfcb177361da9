"""Beyond one process: what deploy/ holds, run. `make test-scale` sets up what this needs; `make test` leaves it out."""
