"""The command `dynamics365 login`: a person signs in, and the tap uses the refresh token."""
