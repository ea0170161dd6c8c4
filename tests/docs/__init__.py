"""Tests of the documents: they are compared with the code."""
