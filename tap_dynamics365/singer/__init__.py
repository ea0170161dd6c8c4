"""The Singer side of the tap: catalog, streams, messages, input files."""
