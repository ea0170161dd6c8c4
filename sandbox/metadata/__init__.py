"""Metadata: `$metadata`, table definitions, metadata changes; CSDL documents as input."""
