"""What a Delta table is made of: layout, opening, fence, conflicts. Which tables there are is not known here."""
