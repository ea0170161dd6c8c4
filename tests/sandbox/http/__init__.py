"""Tests of `sandbox.http`."""
