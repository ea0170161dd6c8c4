"""Tests of `sandbox.metadata`."""
