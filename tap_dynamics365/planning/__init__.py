"""What a load costs, and queries of a person, before anything is extracted."""
