"""What several kinds of answers share: splitting, matching, tables of words and units."""
