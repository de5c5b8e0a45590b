"""The JSON Schema of a spec, its validator, and the error messages for its findings.

Entry points: `spec_schema.spec_schema`, `validate.validate`. Imports `lang.recipes` and everything below it.
"""
