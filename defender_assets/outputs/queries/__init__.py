"""What commands and notebooks ask of the lake. Reads only; how answers are shown is decided by the caller."""
