"""Alert groups that belong together: one story, told once, with a timeline to learn from."""
