"""Statistics of tokens from logits, or from hidden states and the LM head, on any device."""
