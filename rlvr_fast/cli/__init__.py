"""The command line. A group of commands is a module; `application` lists the commands."""

from __future__ import annotations

from rlvr_fast.cli.application import app, main

__all__ = ["app", "main"]
