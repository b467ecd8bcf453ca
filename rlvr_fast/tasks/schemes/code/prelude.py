"""What stands before an answer when LiveCodeBench runs it.

The imports and the recursion limit are those of `import_string` in lcb_runner/evaluation/
testing_util.py of https://github.com/LiveCodeBench/LiveCodeBench, in its order, which decides what
a name means: `datetime` is the module, `pow` the built-in function. Its prompts do not mention
them, so that programs which leave imports out are correct there.
"""

from __future__ import annotations

__all__ = ["PRELUDE", "RUNNER"]

# LiveCodeBench lets an integer have 50000 digits as text; here the limit of time is the only one.
PRELUDE = """
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
import string
import re
import datetime
import collections
import heapq
import bisect
import copy
import math
import random
import statistics
import itertools
import functools
import operator
import io
import sys
import json
sys.setrecursionlimit(50000)
sys.set_int_max_str_digits(0)
"""

# The program is read as a source of its own, so that its imports from __future__ stand at its
# head, and runs as the module `__main__`, so that its main guard runs.
RUNNER = f"""{PRELUDE}
with open("answer.py", "rb") as answer:
    answer = compile(answer.read(), "answer.py", "exec", dont_inherit=True)
exec(answer)
"""
