"""Tests of `sandbox.identity`."""
