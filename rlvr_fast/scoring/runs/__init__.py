"""The completions of run directories, scored part by part."""
