"""Tests of `sandbox.data`."""
