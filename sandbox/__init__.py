"""A small, faithful, local Dynamics 365 (Dataverse) to develop, demonstrate and test against."""
