"""Slack's front door: HTTP and Socket Mode in, committed events out."""
