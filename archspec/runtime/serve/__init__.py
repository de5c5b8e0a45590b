"""An HTTP server for exports: TensorFlow Serving's REST API, image uploads, metrics and a page to try a model.

`models` loads and calls the models, `http` answers requests; here is what both use. It may import diagnostics.
"""
