"""Names that a parser of expressions knows: functions, constants, letters, operators."""

from __future__ import annotations

__all__ = [
    "ACCENTS",
    "ALONG",
    "BARE",
    "CONSTANTS",
    "DIFFERENTIALS",
    "EITHER",
    "FENCES",
    "FUNCTIONS",
    "FUNCTION_LETTERS",
    "GLUED",
    "GREEK",
    "INVERSES",
    "LETTERS",
    "NAMERS",
    "NO_FACTOR",
    "OPERATORS",
    "OVER",
    "PREFIXES",
    "PYTHON",
    "RELATIONS",
    "SUBSCRIPTS",
    "TIMES",
    "TRIGONOMETRY",
    "VARIABLES",
    "WORDS",
]

_TRIG = ("sin", "cos", "tan", "cot", "sec", "csc")
TRIGONOMETRY = frozenset(_TRIG)
# What `^{-1}` makes of a function.
INVERSES = {name: f"arc{name}" for name in (*_TRIG, *(f"{name}h" for name in _TRIG))}

# Spelling, plain or as a command -> name of the function.
FUNCTIONS = {
    **{name: name for name in INVERSES},
    **{name: name for name in INVERSES.values()},
    **{f"a{name}": f"arc{name}" for name in INVERSES},
    **{f"ar{name}h": f"arc{name}h" for name in _TRIG},
    "tg": "tan", "ctg": "cot", "cotg": "cot", "cosec": "csc", "arctg": "arctan",
    "arcctg": "arccot", "cosech": "csch", "sh": "sinh", "ch": "cosh", "th": "tanh",
    "ln": "ln", "log": "log", "lg": "log10", "lb": "log2", "exp": "exp", "abs": "abs",
    "Abs": "abs", "fabs": "abs", "floor": "floor", "ceil": "ceil", "ceiling": "ceil",
    "round": "round",
    "factorial": "factorial", "binomial": "binomial", "binom": "binomial", "comb": "binomial",
    "nCr": "binomial",
    "gcd": "gcd", "lcm": "lcm", "max": "max", "min": "min", "Max": "max", "Min": "min",
    "GCD": "gcd", "LCM": "lcm", "MAX": "max", "MIN": "min", "Re": "re", "Im": "im", "re": "re",
    "im": "im", "conj": "conjugate", "conjugate": "conjugate", "arg": "arg", "Arg": "arg",
    "cis": "cis", "sqrt": "sqrt", "cbrt": "cbrt", "pow": "pow", "radians": "degrees",
    "deg2rad": "degrees", "sup": "sup", "inf": "inf", "det": "det", "dim": "dim", "deg": "deg",
    "ker": "ker", "hom": "hom", "rank": "rank", "tr": "tr", "Tr": "tr", "trace": "tr",
    "sgn": "sgn", "sign": "sgn", "span": "span", "diag": "diag", "erf": "erf", "ord": "ord",
    "argmax": "argmax", "argmin": "argmin", "Var": "Var", "var": "Var", "Cov": "Cov",
    "cov": "Cov", "Pr": "P", "proj": "proj", "area": "area", "Area": "area", "vol": "vol",
    "Vol": "vol", "lim": "lim", "sum": "sum", "prod": "prod", "liminf": "liminf",
    "limsup": "limsup", "Rational": "ratio", "Fraction": "ratio",
    "power": "pow", "absolute": "abs", "Mod": "mod", "maximum": "max", "minimum": "min",
    "hcf": "gcd", "HCF": "gcd", "Log": "ln", "Ln": "ln", "Sqrt": "sqrt",
    "Sin": "sin", "Cos": "cos", "Tan": "tan", "Exp": "exp",
}  # fmt: skip
# 'sinx', '2xlnx': these may stand in a run of letters without a space.
GLUED = (
    "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "sec",
    "csc", "log", "exp", "sqrt", "ln",
)  # fmt: skip

CONSTANTS = {
    "pi": "pi", "e": "e", "i": "i", "infty": "infinity", "infinity": "infinity",
    "oo": "infinity", "inf": "infinity", "Infinity": "infinity", "Inf": "infinity",
}  # fmt: skip

_GREEK_SMALL = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "omicron", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
    "omega",
)  # fmt: skip
# Letters of plain text for either of two commands -> these: the one whose shape Unicode gives it,
# and the one that it is named for.
EITHER = {"eitherphi": ("varphi", "phi"), "eitherepsilon": ("varepsilon", "epsilon")}
GREEK = frozenset((
    *_GREEK_SMALL, *(name.capitalize() for name in _GREEK_SMALL), *EITHER, "pi", "Pi",
    *(f"var{name}" for name in ("epsilon", "theta", "rho", "sigma", "phi", "kappa", "pi")),
))  # fmt: skip
# Further letters that are commands, but no words of plain text.
LETTERS = frozenset(("ell", "hbar", "aleph", "wp", "mho", "beth"))

# Names in front of a dot in Python: np.sin.
PYTHON = frozenset(("np", "numpy", "math", "cmath", "sympy", "sp", "scipy", "mpmath", "mp"))

# Between the name of a derivative and its variable, where the text names one: \\frac{dx}{dt}.
ALONG = "|"
# Marks above a letter or several -> the name of the mark.
ACCENTS = {
    "bar": "bar", "overline": "overline", "hat": "hat", "widehat": "widehat", "vec": "vec",
    "overrightarrow": "vec", "tilde": "tilde", "widetilde": "tilde", "dot": "'", "ddot": "''",
    "dddot": "'''", "overleftarrow": "overleftarrow", "overleftrightarrow": "line",
    "underline": "underline", "mathring": "mathring", "check": "check", "breve": "breve",
    "mathbb": "mathbb", "mathcal": "mathcal", "mathfrak": "mathfrak", "mathscr": "mathscr",
}  # fmt: skip

# Operators between names that are only structure: command -> (name, level, order is meaning).
# A lower level binds less.
OPERATORS = {
    "implies": ("implies", 0, True), "iff": ("iff", 0, False), "to": ("to", 1, True),
    "mapsto": ("mapsto", 1, True), "leftrightarrow": ("iff", 0, False),
    "leftarrow": ("leftarrow", 1, True), "lor": ("or", 2, False), "land": ("and", 3, False),
    "oplus": ("oplus", 4, False), "otimes": ("otimes", 5, True), "cup": ("cup", 4, False),
    "cap": ("cap", 5, False), "setminus": ("setminus", 6, True), "circ": ("compose", 7, True),
    "triangle": ("triangle", 4, False), "sqcup": ("cup", 4, False),
    "parallel": ("parallel", 0, False), "perp": ("perp", 0, False),
}  # fmt: skip

# Words that are one subscript without braces too, x_in; of other letters only the first is.
SUBSCRIPTS = frozenset((
    "in", "out", "tot", "avg", "rms", "eff", "net", "rel", "ext", "int", "cm", "eq", "end", "new",
    "old", "opt", "ref", "obs", "air", "gas", "top", "sum", "esc", "sun", "kin", "pot", "obj",
))  # fmt: skip

# Words of two letters; longer words are known by their length.
WORDS = frozenset((
    "no", "or", "if", "is", "in", "on", "at", "to", "of", "by", "we", "he", "it", "an", "as",
    "so", "do", "go", "up", "us", "am", "pm", "my", "me", "be", "ok", "hi",
))  # fmt: skip

TIMES = frozenset(("*", "cdot", "times"))
OVER = frozenset(("/", "div"))
RELATIONS = frozenset(
    ("=", "<", ">", "le", "ge", "ne", "in", "notin", "equiv", "approx", "sim", "subset")
)
# Commands that do not begin a factor.
NO_FACTOR = (
    frozenset(OPERATORS)
    | TIMES
    | OVER
    | RELATIONS
    | frozenset(("rfloor", "rceil", "rvert", "rangle", "mid", "bmod", "choose", "over"))
)
# Functions that are written as brackets: the left one -> the right one, the name.
FENCES = {
    "lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs"),
    "langle": ("rangle", "average"),
}  # fmt: skip
# Commands before one name.
PREFIXES = {
    "neg": "not", "exists": "exists", "forall": "forall", "triangle": "triangle",
    "odot": "circle",
}  # fmt: skip
# Commands after which capitals are a name, never a product.
NAMERS = frozenset(("angle", "triangle", "odot", *ACCENTS))
# Functions that in plain text need no brackets around their argument.
BARE = frozenset((
    *INVERSES, *INVERSES.values(), "ln", "log", "exp", "sqrt", "cbrt", "abs", "cis", "re", "im",
))  # fmt: skip
# Letters before a bracket that are functions where the bracket has one of VARIABLES alone.
FUNCTION_LETTERS = frozenset("ghFGHPQ")
VARIABLES = frozenset("xyznt")
DIFFERENTIALS = frozenset(("d", "partial"))
