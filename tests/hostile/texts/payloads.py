"""Texts of strangers, each of a kind that acts on some medium."""

from __future__ import annotations

import unicodedata

__all__ = ["PAYLOADS", "hidden_in"]

# name -> text
PAYLOADS = {
    # terminals
    "colour": "\x1b[31mred",
    "clear screen": "a\x1b[2J\x1b[Hb",
    "title": "a\x1b]0;owned\x07b",
    "clipboard": "a\x1b]52;c;cm0gLXJm\x07b",
    "link": "a\x1b]8;;https://evil.example\x1b\\b\x1b]8;;\x1b\\",
    "device report": "a\x1b[6n\x1b[c\x1bP$q\x1b\\b",
    "C1 CSI": "a\x9b31mred",
    "C1 OSC": "a\x9d52;c;cm0=\x9cb",
    "C1 as UTF-8": b"a\xc2\x9b31mb".decode(),
    "carriage return": "secret\rerror: none",
    "backspaces": "abc\x08\x08\x08xyz",
    "bell, vertical tab, form feed": "a\x07\x0b\x0cb",
    "delete": "a\x7f\x7fb",
    "NUL": "a\x00b",
    "shift out": "a\x0eb\x0fc",
    "line feed": "a\nerror: forged\nReport: /tmp/forged",
    "CR LF": "a\r\nb",
    "markup": "[red]a[/red] [link=https://evil.example]b[/link] [/] [bold",
    # direction and hidden text
    "override": "a\u202egnp.exe",
    "embedding": "a\u202ab\u202bc\u202c",
    "isolates": "a\u2066b\u2067c\u2068d\u2069",
    "marks": "a\u200eb\u200fc\u061cd",
    "zero width": "a\u200bb\u2060c\ufeffd\u200de\u200cf",
    "separators": "a\u2028b\u2029c",
    "soft hyphen": "a\u00adb\u034fc",
    "tags": "a\U000e0041\U000e0042\U000e007f",
    "annotation": "a\ufff9b\ufffac\ufffb",
    "noncharacters": "a\ufffeb\uffffc\U0001ffffd",
    "halves of pairs": "a\ud800b\udcff\udfffc",
    "fillers": "a\u3164b\u115fc\uffa0d\u2800e",
    "marks alone": '\u0338\u20dd a \u0489 "\u0336"',
    "stacked marks": "a" + "\u0301\u0489\u0e47" * 30,
    "selectors": "a\ufe01\ufe02b\u263a\ufe0f\ufe0e\ufe0e",
    "hieroglyph controls": "a\U00013430\U0001d159b",
    # pages
    "script": "<script>window.PWNED=1</script>",
    "end of script": "</script><script>window.PWNED=1</script>",
    "comment and script": "<!--<script>x</script>-->",
    "image": '"><img src=x onerror="window.PWNED=1">',
    "quote": "' onmouseover='window.PWNED=1",
    "SVG": "<svg onload=window.PWNED=1></svg>]]>",
    "style": "</style><style>body{display:none}</style>",
    "template": "{{ 7*7 }} {% raw %} {# x #} ${1} #{1}",
    "entity": "&lt;&#x1b;&amp;&bogus;",
    "address": "javascript:window.PWNED=1",
    "bytes of JSON": '\\u001b\\"}],"x":[',
    # LaTeX
    "row argument": "[1cm] a",
    "row star": "* a",
    "input": "\\input{/etc/passwd}\\write18{id}",
    "carets": "^^5cinput{/etc/passwd} ^^M",
    "alignment": "a & b \\\\ c % d # e ~ f _ g {h}",
    "begin": "\\end{tabular}\\immediate\\openout",
    # matplotlib
    "mathematics": "$\\frac{1}{0}$ $x",
    "odd mathematics": "a $ b \\$ c $\\badmacro{$",
    # spreadsheets
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)",
    "behind a semicolon": "a;=1+1;b",
    "behind quotes": 'a; "=1+1"',
    "behind a line": 'x"\n=1+1',
    "tab and formula": "\t=1+1",
    "wide formula": "\uff1d1+1",
    # files
    "path": "../../../../tmp/escaped",
    "absolute": "/tmp/escaped",
    "reserved": "nul",
    "long": "x" * 3000,
    "blank lines and formula": "\n \t" * 1000 + "=1+1",
    # honest text of other scripts, that stays
    "scripts": "数学 \u05d0\u05d1 العربية ünï 👨\u200d👩\u200d👧",
}


def hidden_in(text: str, *, lines: str = "\n\t") -> set[str]:
    """The characters of a shown text that control, hide, reverse or cover others."""
    bad = set()
    for at, character in enumerate(text):
        if character in lines or (character == "\u200d" and ord(text[at - 1]) > 0x300):
            continue
        fillers = "\u034f\u115f\u1160\u2800\u3164\uffa0\U0001d159"
        category = unicodedata.category(character)
        noncharacter = (ord(character) & 0xFFFE) == 0xFFFE
        if category in ("Cc", "Cf", "Cs", "Zl", "Zp") or noncharacter or character in fillers:
            bad.add(character)
        over = [
            unicodedata.category(each) in ("Mn", "Me") for each in text[max(at - 6, 0) : at + 1]
        ]
        alone = at == 0 or text[at - 1].isspace() or text[at - 1] in "\"'"
        selectors = "\ufe00" <= text[at - 1] <= "\ufe0f" and "\ufe00" <= character <= "\ufe0f"
        if over[-1] and (alone or selectors or (len(over) == 7 and all(over))):
            bad.add(character)
    return bad
