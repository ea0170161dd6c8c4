"""OData 4: queries, pages, metadata documents, change tracking links."""
