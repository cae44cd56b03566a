"""Groups that get no message of their own yet: in a storm, and in quiet hours. None of them is forgotten."""
