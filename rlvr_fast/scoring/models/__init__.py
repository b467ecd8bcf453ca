"""Completions teacher-forced through a language model."""
