"""Tests of `sandbox.query`."""
