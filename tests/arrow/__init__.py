"""Tests of Arrow record batches."""
