"""Tests of `sandbox.business_central`."""
