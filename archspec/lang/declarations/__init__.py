"""How declarations (operators, transforms, optimizers, ...) appear in a spec: as JSON Schema and in the one-key form.

Imports `declare` only.
"""
