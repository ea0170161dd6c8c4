"""Finance & Operations."""
