"""Backups that were restored: create, verify, restore, prune. A backup nobody restored is a hope."""
