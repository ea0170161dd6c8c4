"""The sign-in host: tokens, sign-ins of people, assertions of apps."""
