"""Tests of the project itself: architecture, workflows, smoke test, and the fork server."""
