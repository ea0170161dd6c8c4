"""The sandbox's own tests, over HTTP against its real server."""
