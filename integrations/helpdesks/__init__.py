"""Helpdesks beside Jira as the tickets port: Zendesk, Freshdesk, GitHub Issues, any other by a mapping."""
