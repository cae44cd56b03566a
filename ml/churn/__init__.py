"""Churn risk: from raw tables to scored customers with reasons."""
