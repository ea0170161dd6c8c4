"""What the service tells of its tables: $metadata, definitions, metadata changes."""
