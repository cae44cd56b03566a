"""The mitigation engine: from a press under an alert to a verified verdict, inside guardrails.

It goes one way: `declarations` (what the operator allows) → `proposals` (a dry run for the alerts that fire
now) → `guardrails` (who says no) → `ledger` (the run, by compare-and-set) → `engine` (acts, verifies, undoes,
escalates) → `telling` (what people read). `handlers` is the door.
"""
