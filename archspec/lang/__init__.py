"""The spec language: from the text of a spec to a checked `Spec`, without expanding it.

text -> `document` (YAML nodes) -> `schema` (JSON Schema) -> `spec` (layers, blocks, variants). Imports `declare`,
`diagnostics`, `format`, `ops` and `transforms`.
"""
