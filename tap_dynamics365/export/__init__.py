"""Export of tables into files and databases, without a Singer target."""
