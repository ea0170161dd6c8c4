"""Tests of services/dataverse/."""
