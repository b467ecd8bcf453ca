"""A toy task and a toy engine."""
