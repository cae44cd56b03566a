"""Local stand-ins for Slack, Jira and Alertmanager that speak the real protocols."""
