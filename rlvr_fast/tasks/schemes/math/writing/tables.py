"""Tables of typography: what each character and each command is written as in a cleaned text."""

from __future__ import annotations

import unicodedata

__all__ = ["CHARACTERS", "COMMANDS", "DROPPED", "FONTS", "NARROW", "SUBSCRIPTS", "SUPERSCRIPTS"]

# A space that can stand between groups of digits, also inside brackets; a plain space afterwards.
NARROW = "\u2009"

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eitherepsilon", "ϵ": "epsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho",
    "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon", "φ": "eitherphi", "ϕ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "∆": "Delta",
    "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi",
    "Ω": "Omega", "\u2126": "Omega", "ℓ": "ell", "ℏ": "hbar", "ħ": "hbar",
    "Υ": "Upsilon", "ϒ": "Upsilon", "ϱ": "varrho", "ϰ": "varkappa", "ϖ": "varpi", "ℵ": "aleph",
}  # fmt: skip

_SIGNS = {
    "×": "times", "✕": "times", "✖": "times", "÷": "div", "·": "cdot", "⋅": "cdot", "∙": "cdot",
    "•": "cdot", "∞": "infty", "±": "pm", "∓": "mp", "≤": "le", "⩽": "le", "≦": "le",
    "≥": "ge", "⩾": "ge", "≧": "ge", "≠": "ne", "≈": "approx", "≃": "simeq", "≅": "cong",
    "∼": "sim", "≡": "equiv", "≢": "not\\equiv", "∝": "propto", "∈": "in", "∉": "notin",
    "∋": "ni", "⊂": "subset", "⊆": "subseteq", "⊃": "supset", "⊇": "supseteq", "∪": "cup",
    "∩": "cap", "∖": "setminus", "∅": "emptyset", "⌀": "emptyset", "∀": "forall",
    "∃": "exists", "¬": "neg", "∧": "land", "∨": "lor", "→": "to", "⟶": "to", "↦": "mapsto",
    "←": "leftarrow", "↔": "leftrightarrow", "⇒": "implies", "⟹": "implies", "⇔": "iff",
    "⟺": "iff", "⊕": "oplus", "⊗": "otimes", "∘": "circ", "⊥": "perp", "∥": "parallel",
    "∠": "angle", "∡": "angle", "△": "triangle", "▵": "triangle", "⊙": "odot", "∂": "partial",
    "∇": "nabla", "∑": "sum", "∏": "prod", "∫": "int", "∮": "oint", "⌊": "lfloor",
    "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "⟨": "langle", "〈": "langle", "⟩": "rangle",
    "〉": "rangle", "…": "ldots", "⋯": "ldots", "∣": "mid", "†": "dagger", "∤": "nmid",
    "⊄": "not\\subset", "⊈": "not\\subseteq", "≪": "ll", "≫": "gg", "≺": "prec", "≻": "succ",
    "⊨": "models", "⊢": "vdash", "⋆": "star", "⊤": "top", "⌢": "frown", "≜": "triangleq",
    "≯": "ngtr", "≮": "nless", "≰": "nleq", "≱": "ngeq",
    "√": "√", "∛": "∛", "∜": "∜",
}  # fmt: skip

_PLAIN = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015\ufe63\u2796\u02d7", "-"),
    **dict.fromkeys("′’‘ʹ´＇", "'"), "″": "''", "‴": "'''", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "⁄": "/", "∕": "/", "∗": "*", "＊": "*", "∶": ":", "‖": r"\|",
    "、": ",", "。": ".", "，": ",", "‰": " per mille ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "ℙ": r"\mathbb{P}",
    "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ", "℃": r"^\circ C", "℉": r"^\circ F",
    "ⅈ": "i", "ⅇ": "e", "𝔼": r"\mathbb{E}", "\u3000": NARROW, "￡": "£", "￥": "¥",
    "￠": "¢", "￦": "₩",
}  # fmt: skip

# Signs of ordinals, of which one is also written for degrees.
_NOT_RAISED = frozenset("ªº")


def _small(kind: str) -> dict[str, str]:
    """The characters that are a raised ("<super>") or lowered ("<sub>") letter, digit or sign."""
    found = {}
    for code in (*range(0xA0, 0x300), *range(0x1D00, 0x1DC0), *range(0x2070, 0x20A0), 0x2C7C):
        made = unicodedata.decomposition(chr(code)).split()
        if made[:1] != [kind] or len(made) != 2 or chr(code) in _NOT_RAISED:
            continue
        plain = unicodedata.normalize("NFKC", chr(code)).replace("\u2212", "-")
        if len(plain) == 1 and (plain.isascii() or plain in _GREEK):
            found[chr(code)] = plain
    return found


SUPERSCRIPTS = _small("<super>")
SUBSCRIPTS = _small("<sub>")


def _plain(sign: str) -> str:
    """The letters and digits of a sign; the power of a unit in one sign stays one."""
    kind, _, codes = unicodedata.decomposition(sign).partition(" ")
    if kind != "<square>":
        return unicodedata.normalize("NFKC", sign)
    parts = [chr(int(code, 16)) for code in codes.split()]
    plain = [f"^{{{SUPERSCRIPTS[part]}}}" if part in SUPERSCRIPTS else part for part in parts]
    return unicodedata.normalize("NFKC", "".join(plain))


def _characters() -> dict[int, str]:
    table = {ord(sign): text for sign, text in _PLAIN.items()}
    for sign, name in (_GREEK | _SIGNS).items():
        table[ord(sign)] = sign if sign in "√∛∜" else f"\\{name} "
    for code in range(0xFF01, 0xFF5F):  # full-width forms
        table.setdefault(code, chr(code - 0xFEE0))
    for code in range(0x1D400, 0x1D800):  # letters and digits in mathematical fonts
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and ord(plain) != code:
            table.setdefault(code, table.get(ord(plain), plain))
    # Without the ideographs, which have no other spelling.
    for code in (*range(0x80, 0x3400), *range(0xA000, 0xAC00), *range(0xFB00, 0x11000)):
        sign = chr(code)
        if code in table or sign in SUPERSCRIPTS or sign in SUBSCRIPTS:
            continue
        category = unicodedata.category(sign)
        if category == "Nd":
            table[code] = str(unicodedata.decimal(sign))
        elif category == "Zs":
            table[code] = NARROW
        elif category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            table[code] = ""  # zero width: joiners, marks of direction, the byte order mark
        else:
            plain = _plain(sign)
            if "⁄" in plain:
                upper, _, lower = plain.partition("⁄")
                table[code] = f"\\frac{{{upper}}}{{{lower}}}" if lower else f"{upper}/"
            elif plain.isascii() and "<su" not in unicodedata.decomposition(sign):
                table[code] = plain  # Roman numerals, ligatures, units as one sign
    table[0x2062] = table[0x2063] = ""
    return table


# Code point -> text, for `str.translate`.
CHARACTERS = _characters()

# Command -> another spelling of it. A value that ends in a letter is a command again.
COMMANDS = {
    "dfrac": r"\frac", "tfrac": r"\frac", "cfrac": r"\frac", "nicefrac": r"\frac",
    "sfrac": r"\frac", "flatfrac": r"\frac", "xfrac": r"\frac", "surd": r"\sqrt",
    "bullet": r"\cdot", "cr": "\\\\",
    "Huge": " ", "footnotesize": " ", "scriptsize": " ", "dbinom": r"\binom",
    "tbinom": r"\binom", "leq": r"\le", "leqslant": r"\le", "leqq": r"\le", "geq": r"\ge",
    "geqslant": r"\ge", "geqq": r"\ge", "neq": r"\ne", "lt": "<", "gt": ">", "colon": ":",
    "varnothing": r"\emptyset", "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]",
    "lparen": "(", "rparen": ")", "vert": "|", "Vert": r"\|", "ast": "*", "lnot": r"\neg",
    "wedge": r"\land", "vee": r"\lor", "rightarrow": r"\to", "longrightarrow": r"\to",
    "Rightarrow": r"\implies", "Longrightarrow": r"\implies", "Leftrightarrow": r"\iff",
    "Longleftrightarrow": r"\iff", "dots": r"\ldots", "dotsc": r"\ldots", "dotsb": r"\ldots",
    "dotsm": r"\ldots", "dotso": r"\ldots", "cdots": r"\ldots", "hdots": r"\ldots",
    "smallsetminus": r"\setminus", "backslash": r"\setminus", "R": r"\mathbb{R}",
    "N": r"\mathbb{N}", "Z": r"\mathbb{Z}", "Q": r"\mathbb{Q}", "C": r"\mathbb{C}",
    "Bbb": r"\mathbb", "degree": r"^\circ", "textdegree": r"^\circ", "dollar": r"\$",
    "textdollar": r"\$", "middle": "", "bmod": r"\bmod", "mod": r"\bmod", "arcctg": r"\arccot",
    "imath": "i", "jmath": "j", "lVert": r"\|", "rVert": r"\|", "overarc": r"\widehat",
    "overparen": r"\widehat", "measuredangle": r"\angle",
    "sphericalangle": r"\angle",
    "wideparen": r"\widehat", "triangleq": "=", "coloneqq": "=", "iint": r"\iint",
    "euro": "€", "pounds": "£", "gets": r"\leftarrow", "owns": r"\ni", "land": r"\land",
    "And": r"\land", "textrightarrow": r"\to", "div": r"\div", "texttimes": r"\times",
    "nobreakspace": NARROW, "space": NARROW, "thinspace": NARROW, "medspace": NARROW,
    "thickspace": NARROW, "enspace": " ", "quad": " ", "qquad": " ", "newline": " ",
    "tiny": " ", "small": " ", "large": " ", "Large": " ", "LARGE": " ", "huge": " ",
    "negthinspace": "", "ordinarycolon": ":", "percent": "%", "pmb": r"\bm", "hline": " ",
}  # fmt: skip

# Commands without any meaning, and without arguments.
DROPPED = frozenset((
    "displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle", "limits", "nolimits",
    "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl",
    "Biggr", "bigm", "Bigm", "nonumber", "notag", "strut", "mathstrut", "allowbreak", "noindent",
    "centering", "rm", "bf", "it", "sf", "tt", "cal", "bfseries", "itshape", "normalsize",
    "null", "relax", "protect",
))  # fmt: skip

# Commands whose argument stands for itself.
FONTS = frozenset((
    "text", "textrm", "textbf", "textit", "textsf", "texttt", "textnormal", "textup", "textsc",
    "textmd", "textsl", "emph", "num", "mbox", "hbox", "mathrm", "mathbf", "mathit", "mathsf",
    "mathtt",
    "mathnormal", "boldsymbol", "bm", "operatorname", "mathop", "mathbin", "mathrel", "mathord",
    "mathopen", "mathclose", "mathpunct", "mathinner", "boxed", "fbox", "framebox", "bbox",
    "ensuremath", "smash", "strong", "bold", "symbf", "symrm",
))  # fmt: skip
