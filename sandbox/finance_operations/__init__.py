"""Finance & Operations: the OData service at /data, its companies, model and rows.

The specification is the behaviour that public documentation, code and recorded responses show.
"""
