"""The style `table`, as papers print it: columns of configurations, stages in brackets, modules, lists of layers.

`choose` selects the kind of table, `formats` writes it as text. Imports `graph` and the modules that all styles share.
"""
