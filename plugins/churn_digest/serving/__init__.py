"""The process that scores for POST /api/churn/score: `python -m plugins.churn_digest.serving`.

The web process passes requests on to it and loads no model itself. It listens on loopback and knows no token.
The champion is loaded by the first request and again when another one is promoted.
"""
