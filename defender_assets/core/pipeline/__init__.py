"""Building the partitions of derived tables, and finding the days that are behind. The catalog lists the tables."""
