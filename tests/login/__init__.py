"""Tests of the command `tap-dynamics365-login`, as a process and with a real browser."""
