"""Reading tables: what is read, in what order, and how far."""
