"""The process that holds the model for POST /api/nlp/classify: `python -m plugins.autotag.serving`.

The web process passes requests on to it and loads no model itself. It listens on loopback, knows no token,
and may be restarted at any time: the web process answers 503 with Retry-After meanwhile.
"""
