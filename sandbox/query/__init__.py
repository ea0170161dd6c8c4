"""OData queries: options of a URL, filters, paging, and rows as the bytes of a response."""
