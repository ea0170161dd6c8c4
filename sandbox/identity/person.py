"""The person who signs in: every sign-in of a person is by this one."""

from __future__ import annotations

PERSON = "Ada Sandbox"
ACCOUNT = "ada@sandbox.onmicrosoft.com"
