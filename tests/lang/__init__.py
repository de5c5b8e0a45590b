"""The language: text, expressions, schema, settings."""
