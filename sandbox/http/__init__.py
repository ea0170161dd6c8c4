"""HTTP: the server, answers, threads, compression of responses, cache of responses."""
