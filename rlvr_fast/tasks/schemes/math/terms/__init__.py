"""Mathematical expressions as they were written."""
