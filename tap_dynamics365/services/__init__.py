"""The services of Dynamics 365, one folder for each: Dataverse, Finance & Operations."""
