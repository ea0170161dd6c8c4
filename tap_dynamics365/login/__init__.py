"""The command `tap-dynamics365-login`: a person signs in once, and the tap goes on from there."""
