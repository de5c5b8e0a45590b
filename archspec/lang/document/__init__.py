"""YAML as a tree of nodes with their places in the text: no anchors, tags or duplicate keys; bounded in size.

Entry point: `yaml_parser.parse_document`. Imports `diagnostics` only.
"""
