#include "answers/latex_cleanup.hpp"

#include <algorithm>
#include <array>

namespace rlvr::answers {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Spelling {
  std::string_view sign, ascii;
};

constexpr Spelling kUnicode[] = {
    {"\u2212", "-"},        {"\u00d7", "\\times "},
    {"\u00b7", "\\cdot "},  {"\u22c5", "\\cdot "},
    {"\u00f7", "/"},        {"\u03c0", "\\pi "},
    {"\u221a", "\\sqrt "},  {"\u00b0", "\\degree "},
    {"\u221e", "\\infty "}, {"\u00b1", "\\pm "},
    {"\u2213", "\\mp "},    {"\u00b2", "^2"},
    {"\u00b3", "^3"},       {"\u222a", "\\cup "},
    {"\u2208", "\\in "},    {"\u00a0", " "},
    {"\u2009", " "},        {"\u202f", " "},
    {"\u200b", ""},         {"\u20ac", "\x03"},
    {"\u00a3", "\x04"},     {"\u2205", "\\emptyset "},
    {"\u03b1", "\\alpha "}, {"\u03b2", "\\beta "},
    {"\u03b8", "\\theta "}, {"\u03bb", "\\lambda "},
    {"\u03c9", "\\omega "},
};

// Commands for size, style and space.
constexpr std::string_view kDropped[] = {
    "left",  "right",     "big",         "Big",          "bigg",     "Bigg",
    "bigl",  "bigr",      "Bigl",        "Bigr",         "biggl",    "biggr",
    "Biggl", "Biggr",     "middle",      "displaystyle", "limits",   "quad",
    "qquad", "thinspace", "textstyle",   "nolimits",     "medspace", "thickspace",
    "hfill", "noindent",  "scriptstyle", "bf",           "rm",       "it"};

template <std::size_t N>
bool one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string_view command_at(std::string_view s, std::size_t backslash) {
  std::size_t end = backslash + 1;
  while (end < s.size() && is_letter(s[end])) ++end;
  return s.substr(backslash + 1, end - backslash - 1);
}

bool three_digits(std::string_view s, std::size_t at) {
  return at + 3 <= s.size() && is_digit(s[at]) && is_digit(s[at + 1]) && is_digit(s[at + 2]) &&
         (at + 3 == s.size() || !is_digit(s[at + 3]));
}

// Whether math delimiters, where there are any, hold all but the commas of a list: $1$, $2$.
bool whole_in_math(std::string_view s) {
  bool inside = false, any = false, beside = false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const std::string_view two = s.substr(i, 2);
    if (two == "\\(" || two == "\\[" || two == "\\)" || two == "\\]") {
      inside = two[1] == '(' || two[1] == '[';
      any = true, ++i;
    } else if (s[i] == '$') {
      inside = !inside;
      any = true, i += two == "$$";
    } else {
      beside |= !inside && !is_blank(s[i]) && s[i] != ',' && s[i] != '.';
      i += s[i] == '\\';
    }
  }
  return !any || !beside;
}

}  // namespace

bool clean_latex(std::string_view s, std::string& out) {
  out.clear();
  // One dollar sign alone is a currency, where it comes first; pairs are math delimiters.
  std::size_t dollars = 0;
  for (std::size_t i = s.find('$'); i != std::string_view::npos; i = s.find('$', i + 1)) {
    dollars += i == 0 || s[i - 1] != '\\';
  }
  const bool delimiters = dollars % 2 == 0;
  if (delimiters && !whole_in_math(s)) return false;
  if (!delimiters && (dollars > 1 || s[s.find_first_not_of(" \t\n\r")] != '$')) return false;
  for (std::size_t i = 0; i < s.size();) {
    const char c = s[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const auto* known =
          std::find_if(std::begin(kUnicode), std::end(kUnicode),
                       [&](const Spelling& u) { return s.compare(i, u.sign.size(), u.sign) == 0; });
      if (known == std::end(kUnicode)) return false;
      out += known->ascii;
      i += known->sign.size();
    } else if (s.compare(i, 2, "~~") == 0) {
      return false;  // what is struck out, in Markdown
    } else if (is_blank(c) || c == '~') {
      out += ' ';
      ++i;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '%' || c == '#') {
      return false;
    } else if (c == '$') {
      out += delimiters ? ' ' : kDollar;
      ++i;
    } else if (c == '{' && s.compare(i, 3, "{,}") == 0) {
      out += kThousands;
      i += 3;
    } else if (c == ',') {
      // ",\!" and blanks after it, then exactly three digits: thousands.
      std::size_t k = i + 1;
      bool tight = false;
      while (k < s.size() && (is_blank(s[k]) || s.compare(k, 2, "\\!") == 0)) {
        if (s[k] == '\\') tight = true, ++k;
        ++k;
      }
      if (tight && three_digits(s, k) && !out.empty() && is_digit(out.back())) {
        out += kThousands;
        i = k;
      } else if (tight && k < s.size() && is_digit(s[k])) {
        return false;  // 3,\!14: a decimal comma?
      } else {
        out += ',';
        ++i;
      }
    } else if (c == '\\') {
      const std::string_view command = command_at(s, i);
      if (command.empty()) {
        const char sign = i + 1 < s.size() ? s[i + 1] : '\0';
        if (sign == '\\') {
          out += "\\\\";
        } else if (sign == '{' || sign == '}') {
          out += '\\';
          out += sign;
        } else if (sign == '%' || sign == '\0' || sign == '#' || sign == '|' || sign == '&' ||
                   sign == '_' || static_cast<unsigned char>(sign) >= 0x7f) {
          if (sign != '\0') return false;
        } else if (sign == '$') {
          out += kDollar;
        } else if (sign == '(' || sign == ')' || sign == '[' || sign == ']' || sign == ',' ||
                   sign == ';' || sign == ':' || sign == '!' || sign == ' ' || sign == '>' ||
                   sign == '\n' || sign == '\t') {
          out += ' ';
        } else {
          return false;
        }
        i += 2;
      } else if (one_of(command, kDropped)) {
        i += 1 + command.size();
        if ((command == "left" || command == "right") && i < s.size() && s[i] == '.') ++i;
        out += ' ';
      } else {
        out += '\\';
        out += command;
        out += ' ';
        i += 1 + command.size();
      }
    } else {
      out += c;
      ++i;
    }
  }
  return true;
}

std::string plain_words(std::string_view s) {
  static constexpr std::string_view kWrappers[] = {
      "text",   "textbf", "textit", "textrm",       "mathrm",     "mathbf", "mbox",
      "mathit", "boxed",  "fbox",   "operatorname", "textnormal", "mathsf"};
  std::string words;
  bool wrapped = false;
  int depth = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '\\') {
      const std::string_view command = command_at(s, i);
      if (command.empty()) {
        const char sign = i + 1 < s.size() ? s[i + 1] : '\0';
        if (std::string_view(" ,;:!()[]").find(sign) == std::string_view::npos || sign == '\0')
          return {};
        words += ' ';
        ++i;
      } else if (one_of(command, kWrappers)) {
        wrapped = true;
        i += command.size();
      } else if (command == "quad" || command == "qquad" || command == "displaystyle") {
        words += ' ';
        i += command.size();
      } else {
        return {};
      }
    } else if (c == '{' || c == '}') {
      depth += c == '{' ? 1 : -1;
      if (depth < 0 || (c == '{' && !wrapped)) return {};
    } else if (is_letter(c) || c == '-' || c == '\'') {
      words += c;
    } else if (is_blank(c) || c == '~' || c == '$') {
      words += ' ';
    } else if (c == '.' && s.find_first_not_of(" .}$*\n", i) == std::string_view::npos) {
      continue;
    } else {
      return {};
    }
  }
  if (depth != 0) return {};
  // One blank between words; a capital at the head of a word does not count ("East"), other
  // capitals do.
  std::string out;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < words.size();) {
    if (words[i] == ' ') {
      ++i;
      continue;
    }
    std::size_t end = i;
    bool capitals = false;
    std::size_t letters = 0, run = 0;
    for (; end < words.size() && words[end] != ' '; ++end) {
      run = words[end] == '-' ? 0 : run + is_letter(words[end]);
      letters = std::max(letters, run);
      capitals |= end > i && words[end] >= 'A' && words[end] <= 'Z';
    }
    if (letters == 0) return {};
    // nRT may be a product.
    if (capitals && !wrapped && words.find_first_of("abcdefghijklmnopqrstuvwxyz", i) < end)
      return {};
    if (!out.empty()) out += ' ';
    const std::size_t start = out.size();
    out += words.substr(i, end - i);
    if (!capitals && letters > 2 && out[start] >= 'A' && out[start] <= 'Z') out[start] += 32;
    longest = std::max(longest, letters);
    i = end;
  }
  const bool listing =
      out.find(" and ") != std::string::npos || out.find(" or ") != std::string::npos;
  if (listing) return {};
  return longest >= 3 || (wrapped && longest >= 2) || out == "no" ? out : std::string();
}

bool is_unit(std::string_view word) {
  static constexpr std::string_view kUnits[] = {
      "cm",         "mm",          "km",          "m",          "kg",         "g",
      "mg",         "ft",          "in",          "s",          "sec",        "min",
      "h",          "hr",          "hrs",         "mph",        "meter",      "meters",
      "metre",      "metres",      "inch",        "inches",     "foot",       "feet",
      "yard",       "yards",       "mile",        "miles",      "degree",     "degrees",
      "deg",        "unit",        "units",       "square",     "sq",         "cubic",
      "dollar",     "dollars",     "cent",        "cents",      "euro",       "euros",
      "hour",       "hours",       "minute",      "minutes",    "second",     "seconds",
      "day",        "days",        "week",        "weeks",      "month",      "months",
      "year",       "years",       "gram",        "grams",      "kilogram",   "kilograms",
      "pound",      "pounds",      "ounce",       "ounces",     "liter",      "liters",
      "litre",      "litres",      "gallon",      "gallons",    "kilometers", "kilometer",
      "centimeter", "centimeters", "millimeters", "millimeter", "people",     "students",
      "children",   "apples",      "ways",        "points",     "pages",      "books",
      "coins",      "balls",       "cards",       "boys",       "girls",      "eggs",
      "cups",       "slices",      "pieces",      "items",      "tickets",    "cookies",
      "solutions",  "marbles"};
  return one_of(word, kUnits);
}

}  // namespace rlvr::answers
