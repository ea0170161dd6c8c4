"""Servers that the tests run against, each on 127.0.0.1 with an implementation of its own."""
