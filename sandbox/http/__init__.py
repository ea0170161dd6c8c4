"""HTTP: the server."""
