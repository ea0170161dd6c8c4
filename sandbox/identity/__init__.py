"""The sign-in host: what Entra ID does, for apps and for people."""
