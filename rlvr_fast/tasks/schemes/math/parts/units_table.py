"""Units of measure: what each measures (dimensions) and its exact size."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = [
    "CURRENCY_SIGNS", "NO_UNIT", "PREFIX_NAMES", "TWO_WORDS", "UNITS", "Dimensions", "Unit",
    "find_unit",
]  # fmt: skip

Dimensions = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, or a product of units.

    Attributes:
        dimensions: the powers of what it measures, by name; sorted, none is 0.
        factor: the size in the base unit of the dimensions.
        pi: the power of pi in the size (a degree is pi/180).
        offset: what is added to a value before it is multiplied: a scale of temperature.
    """

    dimensions: Dimensions = ()
    factor: Fraction = Fraction(1)
    pi: int = 0
    offset: Fraction = Fraction(0)

    def power(self, exponent: int) -> Unit:
        """This unit to a power."""
        powers = tuple((name, n * exponent) for name, n in self.dimensions) if exponent else ()
        return Unit(powers, self.factor**exponent, self.pi * exponent)

    def times(self, other: Unit) -> Unit:
        """The product of two units."""
        powers = dict(self.dimensions)
        for name, n in other.dimensions:
            powers[name] = powers.get(name, 0) + n
        dimensions = tuple(sorted((name, n) for name, n in powers.items() if n))
        return Unit(dimensions, self.factor * other.factor, self.pi + other.pi)


NO_UNIT = Unit()


def _unit(
    dimensions: str, factor: str | int | Fraction = 1, pi: int = 0, offset: str = "0"
) -> Unit:
    """A unit from "kg m^2 s^-2"-like text."""
    powers = {}
    for item in dimensions.split():
        name, _, exponent = item.partition("^")
        powers[name] = int(exponent or 1)
    return Unit(tuple(sorted(powers.items())), Fraction(factor), pi, Fraction(offset))


_INCH = Fraction("0.0254")
_POUND = Fraction("0.45359237")
_GALLON = Fraction("0.003785411784")
_FORCE = _POUND * Fraction("9.80665")

# The exact spellings of symbols; those in the first table take the prefixes of the SI.
_PREFIXED_SYMBOLS = {
    "m": _unit("m"), "g": _unit("kg", "0.001"), "s": _unit("s"), "A": _unit("A"),
    "K": _unit("K"), "mol": _unit("mol"), "cd": _unit("cd"), "Hz": _unit("s^-1"),
    "N": _unit("kg m s^-2"), "Pa": _unit("kg m^-1 s^-2"), "J": _unit("kg m^2 s^-2"),
    "W": _unit("kg m^2 s^-3"), "C": _unit("A s"), "V": _unit("kg m^2 s^-3 A^-1"),
    "F": _unit("kg^-1 m^-2 s^4 A^2"), "\u03a9": _unit("kg m^2 s^-3 A^-2"),
    "S": _unit("kg^-1 m^-2 s^3 A^2"), "Wb": _unit("kg m^2 s^-2 A^-1"),
    "T": _unit("kg s^-2 A^-1"), "H": _unit("kg m^2 s^-2 A^-2"), "lm": _unit("lm"),
    "lx": _unit("lm m^-2"), "Bq": _unit("s^-1"), "Gy": _unit("m^2 s^-2"),
    "Sv": _unit("m^2 s^-2"), "L": _unit("m^3", "0.001"), "l": _unit("m^3", "0.001"),
    "eV": _unit("kg m^2 s^-2", Fraction("1.602176634e-19")), "bar": _unit("kg m^-1 s^-2", 10**5),
    "cal": _unit("kg m^2 s^-2", "4.184"), "pc": _unit("parsec"), "bit": _unit("bit"),
    "B": _unit("bit", 8), "rad": _unit("angle"), "Wh": _unit("kg m^2 s^-2", 3600),
    "Da": _unit("dalton"), "t": _unit("kg", 1000), "M": _unit("mol m^-3", 1000),
}  # fmt: skip
_SYMBOLS = {
    "min": _unit("s", 60), "h": _unit("s", 3600), "hr": _unit("s", 3600), "hrs": _unit("s", 3600),
    "mins": _unit("s", 60), "sec": _unit("s"), "secs": _unit("s"), "d": _unit("s", 86400),
    "wk": _unit("s", 604800), "yr": _unit("year"), "yrs": _unit("year"),
    "kyr": _unit("year", 10**3), "Myr": _unit("year", 10**6), "Gyr": _unit("year", 10**9),
    "mo": _unit("year", "1/12"),
    "ha": _unit("m^2", 10**4), "in": _unit("m", _INCH), "ft": _unit("m", 12 * _INCH),
    "yd": _unit("m", 36 * _INCH), "yds": _unit("m", 36 * _INCH), "mi": _unit("m", 63360 * _INCH),
    "nmi": _unit("m", 1852), "lb": _unit("kg", _POUND), "lbs": _unit("kg", _POUND),
    "oz": _unit("kg", _POUND / 16), "lbf": _unit("kg m s^-2", _FORCE),
    "psi": _unit("kg m^-1 s^-2", _FORCE / _INCH**2), "mph": _unit("m s^-1", 63360 * _INCH / 3600),
    "kph": _unit("m s^-1", "5/18"), "kmph": _unit("m s^-1", "5/18"),
    "kmh": _unit("m s^-1", "5/18"), "fps": _unit("m s^-1", 12 * _INCH),
    "rpm": _unit("s^-1", "1/60"),
    "gal": _unit("m^3", _GALLON), "floz": _unit("m^3", _GALLON / 128),
    "qt": _unit("m^3", _GALLON / 4), "pt": _unit("m^3", _GALLON / 8),
    "tsp": _unit("m^3", _GALLON / 768), "tbsp": _unit("m^3", _GALLON / 256),
    "cc": _unit("m^3", "1e-6"), "atm": _unit("kg m^-1 s^-2", 101325),
    "mmHg": _unit("kg m^-1 s^-2", "133.322387415"), "erg": _unit("kg m^2 s^-2", "1e-7"),
    "ergs": _unit("kg m^2 s^-2", "1e-7"), "dyn": _unit("kg m s^-2", "1e-5"),
    "hp": _unit("kg m^2 s^-3", "745.69987158227022"), "amu": _unit("dalton"), "u": _unit("dalton"),
    "AU": _unit("m", 149597870700), "au": _unit("m", 149597870700),
    "ly": _unit("m", 9460730472580800), "\u00c5": _unit("m", "1e-10"),
    "\u00b5m": _unit("m", "1e-6"),
    "\u00b0": _unit("angle", "1/180", 1), "deg": _unit("angle", "1/180", 1),
    "\u00b0C": _unit("K", 1, 0, "273.15"), "\u00b0F": _unit("K", "5/9", 0, "459.67"),
    "\u00b0K": _unit("K"), "kcal": _unit("kg m^2 s^-2", 4184), "Cal": _unit("kg m^2 s^-2", 4184),
    "'": _unit("m", 12 * _INCH), "''": _unit("m", _INCH), '"': _unit("m", _INCH),
    "$": _unit("dollar"), "\u00a2": _unit("dollar", "1/100"), "\u00a3": _unit("pound sterling"),
    "\u20ac": _unit("euro"), "\u20b9": _unit("rupee"), "\u00a5": _unit("yen"),
    "USD": _unit("dollar"), "EUR": _unit("euro"), "GBP": _unit("pound sterling"),
    "INR": _unit("rupee"), "Rs": _unit("rupee"), "JPY": _unit("yen"), "ppm": _unit("ratio", "1e-6"),
    "ppb": _unit("ratio", "1e-9"), "KB": _unit("bit", 8000), "gm": _unit("kg", "0.001"),
    "Nm": _unit("kg m^2 s^-2"), "dB": _unit("decibel"), "rev": _unit("angle", 2, 1),
    "kgs": _unit("kg"), "kms": _unit("m", 1000), "gms": _unit("kg", "0.001"),
    r"M_\odot": _unit("solar-mass"), r"L_\odot": _unit("solar-luminosity"),
    r"R_\odot": _unit("solar-radius"), "CHF": _unit("franc"), "CAD": _unit("canadian-dollar"),
    "AUD": _unit("australian-dollar"),
    "CNY": _unit("yuan"), "RMB": _unit("yuan"), "SGD": _unit("singapore-dollar"),
    "HKD": _unit("hong-kong-dollar"), "NZD": _unit("new-zealand-dollar"),
    "MXN": _unit("peso"), "BRL": _unit("real"), "ZAR": _unit("rand"), "KRW": _unit("won"),
    "\u20bd": _unit("ruble"), "\u20a9": _unit("won"), "\u20ba": _unit("lira"),
    "\u20ab": _unit("dong"), "\u20b1": _unit("peso"), "\u0e3f": _unit("baht"),
    "\u20a6": _unit("naira"), "\u20aa": _unit("shekel"),
    "\u212b": _unit("m", "1e-10"), "kWh": _unit("kg m^2 s^-2", 3600000),
}  # fmt: skip
_PREFIXES = {
    "T": 12, "G": 9, "M": 6, "k": 3, "d": -1, "c": -2, "m": -3, "\u00b5": -6, "\u03bc": -6,
    "n": -9, "p": -12, "f": -15,
}  # fmt: skip
# Prefixes that stand before few symbols only, so that no word is taken for a unit.
_FEW = {
    "c": "m g L l",
    "d": "m g L l",
    "f": "m s",
    "T": "B Hz W bit J eV",
    "p": "m s g F A V C mol",
}
PREFIX_NAMES = {
    "tera": 12, "giga": 9, "mega": 6, "kilo": 3, "hecto": 2, "deca": 1, "deci": -1, "centi": -2,
    "milli": -3, "micro": -6, "nano": -9, "pico": -12, "femto": -15,
}  # fmt: skip
# Names, in lower case and singular; the first table takes the prefixes of the SI.
_PREFIXED_NAMES = {
    "meter": "m", "metre": "m", "gram": "g", "gramme": "g", "second": "s", "ampere": "A",
    "amp": "A", "mole": "mol", "hertz": "Hz", "newton": "N", "pascal": "Pa", "joule": "J",
    "watt": "W", "coulomb": "C", "volt": "V", "farad": "F", "ohm": "\u03a9", "siemens": "S",
    "weber": "Wb", "tesla": "T", "henry": "H", "lumen": "lm", "lux": "lx", "becquerel": "Bq",
    "liter": "L", "litre": "L", "electronvolt": "eV", "calorie": "cal", "parsec": "pc",
    "bit": "bit", "byte": "B", "candela": "cd", "bar": "bar", "radian": "rad",
}  # fmt: skip
_NAMES = {
    "kilo": "kg", "kelvin": "K", "minute": "min", "hour": "h", "day": "d", "week": "wk",
    "year": "yr", "month": "mo", "hectare": "ha", "inch": "in", "foot": "ft", "yard": "yd",
    "mile": "mi",
    "pound": "lb", "ounce": "oz", "gallon": "gal", "quart": "qt", "pint": "pt", "teaspoon": "tsp",
    "tablespoon": "tbsp", "tonne": "t", "degree": "\u00b0", "celsius": "\u00b0C",
    "centigrade": "\u00b0C", "fahrenheit": "\u00b0F", "dollar": "$", "cent": "\u00a2",
    "euro": "\u20ac", "rupee": "\u20b9", "yen": "\u00a5", "buck": "$", "usd": "$",
    "atmosphere": "atm",
    "horsepower": "hp", "dyne": "dyn", "rs": "Rs", "lightyear": "ly", "angstrom": "\u00c5",
    "dalton": "Da",
}  # fmt: skip
_OTHER_NAMES = {
    "fortnight": _unit("s", 1209600), "decade": _unit("year", 10), "century": _unit("year", 100),
    "acre": _unit("m^2", 43560 * 144 * _INCH**2), "furlong": _unit("m", 7920 * _INCH),
    "ton": _unit("ton"), "stone": _unit("kg", 14 * _POUND), "cup": _unit("m^3", _GALLON / 16),
    "knot": _unit("m s^-1", Fraction(1852, 3600)), "unit": _unit("unit"), "units": _unit("unit"),
    "penny": _unit("dollar", "1/100"), "pence": _unit("pound sterling", "1/100"),
    "nickel": _unit("nickel"), "paise": _unit("rupee", "1/100"),
    "ruble": _unit("ruble"), "rouble": _unit("ruble"), "yuan": _unit("yuan"),
    "peso": _unit("peso"), "lira": _unit("lira"), "franc": _unit("franc"), "rand": _unit("rand"),
    "arcminute": _unit("angle", "1/10800", 1),
    "arcsecond": _unit("angle", "1/648000", 1), "revolution": _unit("angle", 2, 1),
    }  # fmt: skip
_PLURALS = {"feet": "foot", "inches": "inch", "centuries": "century", "pennies": "penny"}

# Names of two words, in small letters and singular, with the name or symbol for them.
TWO_WORDS = {
    "light year": "ly", "electron volt": "eV", "nautical mile": "nmi", "astronomical unit": "AU",
    "metric ton": "tonne", "solar masse": r"M_\odot",
    "us dollar": "$", "u.s. dollar": "$", "american dollar": "$", "canadian dollar": "CAD",
    "australian dollar": "AUD", "british pound": "GBP", "pound sterling": "GBP",
    "pounds sterling": "GBP", "indian rupee": "INR", "japanese yen": "JPY",
    "mm hg": "mmHg", "fluid ounce": "floz", "fl oz": "floz", "fl. oz": "floz", "fl. oz.": "floz",
    "pounds per square inch": "psi", "pound per square inch": "psi", "horse power": "hp",
}  # fmt: skip

# What stands before an amount of money.
CURRENCY_SIGNS = {
    "US$": "$", "$": "$", "\u00a3": "\u00a3", "\u20ac": "\u20ac", "\u20b9": "\u20b9",
    "\u00a5": "\u00a5", "USD": "$", "EUR": "\u20ac", "GBP": "\u00a3", "INR": "\u20b9",
    "Rs.": "\u20b9", "Rs": "\u20b9", r"\pounds": "\u00a3", r"\euro": "\u20ac",
    **{sign: sign for sign in "\u20bd\u20a9\u20ba\u20ab\u20b1\u0e3f\u20a6\u20aa"},
    "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "HK$": "HKD", "NZ$": "NZD",
    "S$": "SGD", "R$": "BRL", "CHF": "CHF", "CAD": "CAD", "AUD": "AUD", "CNY": "CNY",
    "RMB": "CNY", "HKD": "HKD", "NZD": "NZD", "SGD": "SGD", "JPY": "JPY",
}  # fmt: skip


def _table() -> dict[str, Unit]:
    table = dict(_SYMBOLS)
    for symbol, unit in _PREFIXED_SYMBOLS.items():
        table[symbol] = unit
        for prefix, exponent in _PREFIXES.items():
            if symbol not in _FEW.get(prefix, symbol).split():
                continue
            factor = unit.factor * Fraction(10) ** exponent
            table.setdefault(prefix + symbol, Unit(unit.dimensions, factor, unit.pi))
    table["\u2126"] = table["\u03a9"]
    return table


def _names() -> dict[str, Unit]:
    names = dict(_OTHER_NAMES)
    for name, symbol in _PREFIXED_NAMES.items():
        unit = UNITS[symbol]
        names[name] = unit
        for prefix, exponent in PREFIX_NAMES.items():
            factor = unit.factor * Fraction(10) ** exponent
            names[prefix + name] = Unit(unit.dimensions, factor, unit.pi)
    names |= {name: UNITS[symbol] for name, symbol in _NAMES.items()}
    return names


UNITS = _table()
_NAMED = _names()


def find_unit(word: str) -> Unit | None:
    """The unit that a word or a symbol names; None where it names none.

    Example:
        >>> find_unit("km") == find_unit("Kilometres")
        True
    """
    if word in UNITS:
        return UNITS[word]
    low = word.casefold()
    low = _PLURALS.get(low, low)
    if low in _NAMED:
        return _NAMED[low]
    return _NAMED.get(low.removesuffix("s")) if len(low) > 3 else None
