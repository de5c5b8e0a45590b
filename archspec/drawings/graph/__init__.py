"""The style `graph`: blocks as a tree, a grid of rows and columns for each block, edges routed between the rows.

Imports `graph`, `format`, `diagnostics` and the modules that all styles share.
"""
