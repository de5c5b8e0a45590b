"""An HTTP server for exports: TensorFlow Serving's REST API, image uploads, metrics and a page to try a model.

It may import diagnostics, runtime.data, runtime.models, runtime.export and runtime.explain. The packages of the extra
`serve` are imported only by `server`, `app` and the modules that these import.
"""
