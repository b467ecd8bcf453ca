"""Reading finished completions: the rows of a container, and the fields of a row."""
