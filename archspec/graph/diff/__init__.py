"""Two graphs compared: aligned layer by layer (`diff`), and tested for the same network (`isomorphism`).

Imports `graph.ir` and `graph.analysis`.
"""
