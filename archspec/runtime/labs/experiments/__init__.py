"""Labs that need code: one module each, named in `code:` of the lab's file, with a function `run(lab, context)`.

It may import what `archspec.runtime.labs` may.
"""
