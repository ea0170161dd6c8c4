"""HTTP: the server, compression of responses, cache of responses."""
