"""What to read of a table, so that the target keeps up with it."""
