"""Tests of the tap, of the sandbox, and of both in real pipelines."""
