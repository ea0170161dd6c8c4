"""The person that everybody who signs in is."""

from __future__ import annotations

PERSON = "Ada Sandbox"
ACCOUNT = "ada@sandbox.onmicrosoft.com"
