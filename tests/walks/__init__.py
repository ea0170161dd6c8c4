"""Walks: what README.md tells a newcomer to do, done with the commands that are written there."""
