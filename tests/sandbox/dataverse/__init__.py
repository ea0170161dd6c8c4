"""Tests of `sandbox.dataverse`."""
