"""Tests of `tap_dynamics365.auth`, and of the sign-in end to end."""
