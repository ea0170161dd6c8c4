"""Tests of the command `dynamics365 login`, as a process and with a real browser."""
