"""A picture of what an alert's rule looks at, in the thread of its message."""
