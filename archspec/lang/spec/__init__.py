"""A checked spec: its layers, blocks and variants, `--set` overrides, and the resolved text of one variant.

Entry point: `spec.parse`. Imports the other packages of `lang`; nothing in `lang` imports it.
"""
