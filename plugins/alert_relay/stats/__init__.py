"""How well alerts are dealt with, from our own records; what is inferred rather than told is marked so."""
