"""How derived partitions are built and which days are behind. What is derived is listed in the catalog."""
