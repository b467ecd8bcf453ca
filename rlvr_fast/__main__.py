"""`python -m rlvr_fast` is the command line."""

from rlvr_fast.cli import main

if __name__ == "__main__":
    main()
