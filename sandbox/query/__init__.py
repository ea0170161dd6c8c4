"""OData queries: options, filters, pages."""
