"""The command `tap-dynamics365-login`, as a process, in a real browser."""
