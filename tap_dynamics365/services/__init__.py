"""The services, a folder each: Dataverse, Finance & Operations, Business Central."""
