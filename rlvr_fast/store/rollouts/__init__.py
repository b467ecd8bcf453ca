"""What the values of finished completions mean: pure functions over columns.

A column is a list of Python values, with `MISSING` or None where a row has no value, or an Arrow
array. Each module reads one role of `rlvr_fast.store.readers.reader.ROLES`.
"""
