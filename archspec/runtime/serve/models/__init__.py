"""The models of a server: loading versions, preparing images, batches on the thread that calls the models, heat maps.

It may import diagnostics, runtime.data, runtime.models, runtime.export, runtime.explain and runtime.serve.
"""
