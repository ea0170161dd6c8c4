"""Tests of the project itself: architecture, workflows, and the smoke test that they run."""
