"""Servers that the tests run against, each a program that does the real thing on 127.0.0.1."""
