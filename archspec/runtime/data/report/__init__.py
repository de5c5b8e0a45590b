"""Reports about a data source: `archspec data check` and `archspec data preview`.

May import the other packages of data, and lang.recipes.
"""
