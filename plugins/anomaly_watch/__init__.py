"""Watches live metrics for anomalies: collects from Prometheus, scores, exports score and band."""

from plugins.anomaly_watch.plugin import AnomalyWatch

__all__ = ["AnomalyWatch"]
