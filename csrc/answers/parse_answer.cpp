// A recursive-descent reader of answers, bounded in depth and work. Where LaTeX or plain text
// leaves two readings of an answer open, it fails and the answer stays unresolved.
#include <algorithm>
#include <optional>

#include "answers/latex_cleanup.hpp"
#include "answers/value.hpp"

namespace rlvr::answers {
namespace {

constexpr int kMaxDepth = 40;
constexpr std::size_t kNone = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c); }

template <std::size_t N>
bool one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

constexpr std::string_view kGreek[] = {
    "alpha", "beta",   "gamma",  "delta", "epsilon", "varepsilon", "zeta",  "eta",   "theta",
    "iota",  "kappa",  "lambda", "mu",    "nu",      "xi",         "rho",   "sigma", "tau",
    "phi",   "varphi", "chi",    "psi",   "omega",   "Gamma",      "Delta", "Theta", "Lambda",
    "Sigma", "Phi",    "Psi",    "Omega", "hbar",    "ell",        "Xi",    "Pi",    "vartheta"};
constexpr std::string_view kFunctions[] = {"sin",  "cos",    "tan",    "cot",    "sec",
                                           "csc",  "arcsin", "arccos", "arctan", "sinh",
                                           "cosh", "tanh",   "ln",     "log",    "exp"};
constexpr std::string_view kWrappers[] = {
    "text",         "textbf",     "textit", "textrm",     "mathrm", "mathbf", "mbox", "mathit",
    "operatorname", "textnormal", "mathsf", "boldsymbol", "boxed",  "fbox",   "bold", "textsf"};
constexpr std::string_view kMatrices[] = {"pmatrix", "bmatrix", "matrix", "array", "smallmatrix"};
// Letters that name functions: before a parenthesis they may apply rather than multiply.
constexpr std::string_view kApplying = "fghpquvwyFGHPQTUVWXYI";

class Parser {
 public:
  explicit Parser(std::string_view text) : s_(text) {}

  bool answer(Value& out) {
    skip();
    std::vector<Value> items;
    if (!list(items, '\0')) return false;
    skip();
    if (pos_ != s_.size()) return fail();
    if (items.empty()) return fail();
    if (items.size() > 1 && merged_thousands_) return fail();
    if (items.size() == 1) {
      out = std::move(items[0]);
    } else {
      out = collection(std::move(items));
    }
    return budget_.ok();
  }

 private:
  bool fail() {
    budget_.fail();
    return false;
  }
  bool ok() const { return budget_.ok(); }
  void skip() {
    while (pos_ < s_.size() && s_[pos_] == ' ') ++pos_;
  }
  char peek() {
    skip();
    return pos_ < s_.size() ? s_[pos_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++pos_;
    return true;
  }
  // The name of the command at pos_, empty where there is none.
  std::string_view command() {
    if (peek() != '\\') return {};
    std::size_t end = pos_ + 1;
    while (end < s_.size() && is_letter(s_[end])) ++end;
    return s_.substr(pos_ + 1, end - pos_ - 1);
  }
  void advance(std::string_view name) { pos_ += 1 + name.size(); }
  bool take_command(std::string_view name) {
    if (command() != name || name.empty()) return false;
    advance(name);
    return true;
  }
  // A run of letters at pos_.
  std::string_view word() {
    skip();
    std::size_t end = pos_;
    while (end < s_.size() && is_letter(s_[end])) ++end;
    return s_.substr(pos_, end - pos_);
  }

  struct Nest {
    Parser& p;
    explicit Nest(Parser& parser) : p(parser) {
      if (++p.depth_ > kMaxDepth || !p.budget_.spend(4)) p.budget_.fail();
    }
    ~Nest() { --p.depth_; }
  };

  // ------------------------------------------------------------------ lists and structures
  static Value collection(std::vector<Value> items) {
    std::vector<std::pair<std::string, Value>> keyed;
    for (Value& item : items) {
      std::string key = to_string(item);
      keyed.emplace_back(std::move(key), std::move(item));
    }
    std::stable_sort(keyed.begin(), keyed.end(),
                     [](const auto& x, const auto& y) { return x.first < y.first; });
    Value out;
    out.kind = ValueKind::kSet;
    for (std::size_t i = 0; i < keyed.size(); ++i) {
      if (i > 0 && keyed[i].first == keyed[i - 1].first) out.kind = ValueKind::kList;
      out.parts.push_back(std::move(keyed[i].second));
    }
    return out;
  }

  // A set holds nothing twice.
  static Value unique(Value all) {
    all.kind = ValueKind::kSet;
    const auto same = [](const Value& x, const Value& y) { return to_string(x) == to_string(y); };
    all.parts.erase(std::unique(all.parts.begin(), all.parts.end(), same), all.parts.end());
    return all;
  }

  bool separator() {
    bool any = false;
    for (;;) {
      const char c = peek();
      if (!any && (c == ',' || c == ';')) {
        ++pos_;
        any = true;
        continue;
      }
      if (at_conjunction()) {
        take_conjunction();
        return true;
      }
      return any;
    }
  }
  // "and"/"or", bare or in \text{}.
  std::size_t conjunction_end() {
    skip();
    std::string_view w = word();
    if (w == "and" || w == "or") return pos_ + w.size();
    const std::string_view name = command();
    if (name != "text" && name != "mbox" && name != "textrm" && name != "mathrm") return kNone;
    std::size_t i = pos_ + 1 + name.size();
    const auto blanks = [&] {
      while (i < s_.size() && s_[i] == ' ') ++i;
    };
    blanks();
    if (i >= s_.size() || s_[i] != '{') return kNone;
    ++i;
    blanks();
    std::size_t end = i;
    while (end < s_.size() && is_letter(s_[end])) ++end;
    w = s_.substr(i, end - i);
    i = end;
    blanks();
    if ((w != "and" && w != "or") || i >= s_.size() || s_[i] != '}') return kNone;
    return i + 1;
  }
  bool at_conjunction() { return conjunction_end() != kNone; }
  void take_conjunction() { pos_ = conjunction_end(); }

  // The "x =", "f(x) =" or "x \in" at pos_; what it names, or nothing.
  std::optional<std::string> assignment() {
    const std::size_t start = pos_;
    std::string name;
    const auto back = [&]() -> std::optional<std::string> {
      pos_ = start;
      return std::nullopt;
    };
    if (!variable(name)) return back();
    if (peek() == '(') {
      ++pos_;
      std::string argument;
      for (;;) {
        if (!variable(argument)) return back();
        if (take(')')) break;
        if (!take(',')) return back();
      }
      name += "()";
    }
    if (take('=') || take_command("in")) return name;
    return back();
  }
  bool variable(std::string& name) {
    const char c = peek();
    if (is_letter(c)) {
      if (word().size() != 1) return false;
      name = std::string(1, c);
      ++pos_;
    } else {
      const std::string_view greek = command();
      if (!one_of(greek, kGreek)) return false;
      name = concat({"\\", greek});
      advance(greek);
    }
    return peek() != '_' || subscript(name);
  }

  // Items up to close (a brace, or '\0' for the end); a \pm gives two.
  bool list(std::vector<Value>& items, char close) {
    const Nest nest(*this);
    if (!ok()) return false;
    std::string first_name;
    bool named = false;
    for (;;) {
      skip();
      const std::optional<std::string> name = assignment();
      if (name) {
        if (items.empty()) {
          first_name = *name, named = true;
        } else if (!named || first_name != *name) {
          return fail();  // x = 1, y = 2 is not the set of 1 and 2
        }
      }
      const std::size_t start = pos_;
      const int outer_signs = signs_, outer_sign = sign_;
      signs_ = 0, sign_ = 1;
      Value value;
      if (!union_of(value)) return false;
      const int seen = signs_;
      if (name && mentions(value, *name)) return fail();
      items.push_back(std::move(value));
      if (seen > 1) return fail();
      if (seen == 1) {
        pos_ = start, sign_ = -1, signs_ = 0;
        Value other;
        if (!union_of(other)) return false;
        if (to_string(other) != to_string(items.back())) items.push_back(std::move(other));
      }
      signs_ = outer_signs, sign_ = outer_sign;
      if (items.size() > 256) return fail();
      const std::size_t before = pos_;
      if (!separator()) break;
      if (pos_ == s_.size()) {  // a comma at the very end
        pos_ = before;
        return fail();
      }
    }
    skip();
    if (close == '\0') return pos_ == s_.size() || fail();
    return true;
  }

  static bool mentions(const Value& value, const std::string& name) {
    for (const Term& term : value.expression.terms) {
      for (const Factor& f : term.factors) {
        if (f.kind == FactorKind::kSymbol && (f.name == name || f.name == concat({name, " "})))
          return true;
        if (f.kind == FactorKind::kOpaque && f.name.find(name) != kNone) return true;
      }
    }
    return std::any_of(value.parts.begin(), value.parts.end(),
                       [&](const Value& part) { return mentions(part, name); });
  }

  bool union_of(Value& out) {
    if (!component(out)) return false;
    if (!take_command("cup")) return true;
    Value all;
    all.kind = ValueKind::kUnion;
    all.parts.push_back(std::move(out));
    do {
      all.parts.emplace_back();
      if (!component(all.parts.back())) return false;
    } while (ok() && take_command("cup"));
    for (const Value& part : all.parts) {
      if (part.kind != ValueKind::kBracket && part.kind != ValueKind::kSet) return fail();
    }
    std::sort(all.parts.begin(), all.parts.end(),
              [](const Value& x, const Value& y) { return to_string(x) < to_string(y); });
    out = std::move(all);
    return true;
  }

  // Where the bracket at pos_ closes (any kind closes any: "(3,4]"), and whether commas separate
  // parts inside it.
  std::size_t closing(bool& commas) {
    commas = false;
    int level = 0;
    for (std::size_t i = pos_; i < s_.size(); ++i) {
      const char c = s_[i];
      if (c == '\\' && i + 1 < s_.size() && (s_[i + 1] == '{' || s_[i + 1] == '}')) {
        level += s_[++i] == '{' ? 1 : -1;
      } else if (c == '(' || c == '[' || c == '{') {
        ++level;
      } else if (c == ')' || c == ']' || c == '}') {
        --level;
      } else if ((c == ',' || c == ';') && level == 1) {
        commas = true;
      }
      if (level == 0) {
        budget_.spend(static_cast<int>((i - pos_) / 16));
        return i;
      }
    }
    return kNone;
  }

  bool component(Value& out) {
    const Nest nest(*this);
    if (!ok()) return false;
    const char c = peek();
    if (c == '(' || c == '[') {
      bool commas;
      if (closing(commas) == kNone) return fail();
      if (commas) return bracket(out);
    }
    if (c == '{') {
      bool commas;
      const std::size_t end = closing(commas);
      if (end == kNone) return fail();
      if (commas) {
        ++pos_, ++brackets_;
        std::vector<Value> items;
        if (!list(items, '}') || !take('}')) return fail();
        --brackets_;
        out = unique(collection(std::move(items)));
        return true;
      }
    }
    if (c == '\\') {
      if (pos_ + 1 < s_.size() && s_[pos_ + 1] == '{') return set(out);
      const std::string_view name = command();
      if (name == "begin") return matrix(out);
      if (name == "emptyset" || name == "varnothing") {
        advance(name);
        out = Value();
        out.kind = ValueKind::kSet;
        return true;
      }
    }
    if (infinity(out)) return true;
    if (is_digit(c) && numeral(out)) return true;
    out = Value();
    const bool bracketed = c == '[';
    const std::size_t start = pos_;
    bool only_bracket = false;
    if (bracketed) {
      bool commas;
      const std::size_t end = closing(commas);
      const std::size_t save = pos_;
      pos_ = end + 1;
      const char next = peek();
      only_bracket = next == '\0' || next == ',' || next == ';';
      pos_ = save;
    }
    if (only_bracket) return fail();  // [5]: a list, an interval, a group?
    if (!sum(out.expression)) return false;
    if (pos_ == start) return fail();
    unit_ended_ = false;
    return true;
  }

  bool infinity(Value& out) {
    const std::size_t start = pos_;
    char sign = '+';
    if (peek() == '-' || peek() == '+') sign = s_[pos_++];
    if (!take_command("infty")) {
      pos_ = start;
      return false;
    }
    out = Value();
    out.kind = ValueKind::kInfinity;
    out.text = sign == '-' ? "-\\infty" : "\\infty";
    return true;
  }

  // 52_8: digits with a base.
  bool numeral(Value& out) {
    std::size_t i = pos_;
    while (i < s_.size() && is_digit(s_[i])) ++i;
    const std::string_view digits = s_.substr(pos_, i - pos_);
    while (i < s_.size() && s_[i] == ' ') ++i;
    if (i >= s_.size() || s_[i] != '_') return false;
    ++i;
    while (i < s_.size() && s_[i] == ' ') ++i;
    const bool braced = i < s_.size() && s_[i] == '{';
    if (braced) ++i;
    const std::size_t at = i;
    while (i < s_.size() && is_digit(s_[i]) && (braced || i == at)) ++i;
    const std::string_view base = s_.substr(at, i - at);
    if (base.empty() || base.size() > 3 || digits.size() > 64) return fail();
    if (braced && (i >= s_.size() || s_[i++] != '}')) return fail();
    pos_ = i;
    out = Value();
    out.kind = ValueKind::kNumeral;
    const std::size_t lead = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    out.text = concat({digits.substr(lead), "_{", base, "}"});
    return true;
  }

  bool bracket(Value& out) {
    Value value;
    value.kind = ValueKind::kBracket;
    value.open = s_[pos_++];
    ++brackets_;
    for (;;) {
      Value part;
      const int outer = signs_;
      if (!component(part)) return false;
      if (signs_ != outer) return fail();  // (\pm 1, 2): which pairs are meant is unclear
      value.parts.push_back(std::move(part));
      if (value.parts.size() > 256) return fail();
      if (take(',') || take(';')) continue;
      break;
    }
    const char close = peek();
    if (close != ')' && close != ']') return fail();
    ++pos_;
    --brackets_;
    value.close = close;
    if ((value.open == '[') != (close == ']') && value.parts.size() != 2) return fail();
    out = std::move(value);
    return true;
  }

  bool set(Value& out) {
    pos_ += 2;
    ++brackets_;
    out = Value();
    out.kind = ValueKind::kSet;
    const auto end = [&] {
      skip();
      if (s_.compare(pos_, 2, "\\}") != 0) return false;
      pos_ += 2;
      --brackets_;
      return true;
    };
    if (end()) return true;
    std::vector<Value> items;
    if (!list(items, '}')) return false;
    if (!end()) return fail();
    out = unique(collection(std::move(items)));
    return true;
  }

  bool matrix(Value& out) {
    advance("begin");
    std::string_view name;
    if (!take('{')) return fail();
    name = word();
    pos_ += name.size();
    if (!one_of(name, kMatrices) || !take('}')) return fail();
    if (name == "array") {
      if (!take('{')) return fail();
      while (is_letter(peek()) || peek() == '|') ++pos_;
      if (!take('}')) return fail();
    }
    out = Value();
    out.kind = ValueKind::kMatrix;
    ++brackets_;
    std::size_t column = 0;
    for (;;) {
      Value cell;
      if (!component(cell) || signs_ != 0) return fail();
      if (cell.kind != ValueKind::kExpression) return fail();
      out.parts.push_back(std::move(cell));
      ++column;
      if (out.parts.size() > 256) return fail();
      if (take('&')) continue;
      const bool row_ends = peek() == '\\' && s_.compare(pos_, 2, "\\\\") == 0;
      if (row_ends) pos_ += 2;
      if (out.columns == 0) out.columns = column;
      if (out.columns != column) return fail();
      column = 0;
      if (take_command("end")) break;
      if (!row_ends) return fail();
    }
    if (!take('{')) return fail();
    const std::string_view last = word();
    if (last != name) return fail();
    pos_ += last.size();
    if (!take('}')) return fail();
    --brackets_;
    return true;
  }

  // ------------------------------------------------------------------ arithmetic
  bool sum(Expression& out) {
    const Nest nest(*this);
    if (!ok()) return false;
    bool first = true;
    for (;;) {
      int sign = 1;
      const char c = peek();
      bool signed_term = true;
      if (c == '+' || c == '-') {
        sign = c == '-' ? -1 : 1;
        ++pos_;
      } else if (command() == "pm" || command() == "mp") {
        sign = command() == "pm" ? sign_ : -sign_;
        ++signs_;
        pos_ += 3;
      } else {
        signed_term = false;
      }
      if (!first && !signed_term) return true;
      Expression value;
      if (!term(value)) return false;
      if (sign < 0) value = negate(std::move(value));
      out = first ? std::move(value) : add(budget_, out, value);
      first = false;
      if (!ok()) return false;
      if (unit_ended_) return true;
    }
  }

  bool term(Expression& out) {
    if (!mixed_number(out) && !factor(out)) return false;
    bool after_slash = false;
    for (;;) {
      if (!ok()) return false;
      const char c = peek();
      bool divide_by = false;
      if (c == '*') {
        if (pos_ + 1 < s_.size() && s_[pos_ + 1] == '*') return fail();
        ++pos_;
      } else if (c == '/') {
        ++pos_;
        divide_by = true;
      } else if (take_command("cdot") || take_command("times")) {
      } else if (take_command("div")) {
        divide_by = true;
      } else if (unit(out)) {
        unit_ended_ = true;
        return ok();
      } else if (!implicit_factor()) {
        return ok();
      } else {
        // 1/2x: (1/2)x or 1/(2x)?
        if (after_slash) return fail();
        Expression next;
        if (!factor(next)) return false;
        out = multiply(budget_, out, next);
        continue;
      }
      bool negative = false;
      if (peek() == '-') {
        negative = true;
        ++pos_;
      }
      Expression next;
      if (!factor(next)) return false;
      if (negative) next = negate(std::move(next));
      out = divide_by ? divide(budget_, out, next) : multiply(budget_, out, next);
      after_slash = divide_by;
    }
  }

  // 1\frac{4}{5}, 3 1/2: an integer and a proper fraction side by side are added.
  bool mixed_number(Expression& out) {
    const std::size_t start = pos_;
    if (!is_digit(peek())) return false;
    Rational whole;
    const std::size_t at = pos_;
    if (!number(whole)) return false;
    const std::string_view literal = s_.substr(at, pos_ - at);
    const auto back = [&] {
      pos_ = start;
      return false;
    };
    if (literal.find_first_not_of("0123456789") != kNone || !ok()) return back();
    const bool gap = pos_ < s_.size() && s_[pos_] == ' ';
    Rational n, d;
    const std::string_view name = command();
    if (name == "frac" || name == "dfrac" || name == "tfrac") {
      const std::size_t here = pos_;
      advance(name);
      Expression top, bottom;
      if (!argument(top) || !argument(bottom)) return ok() ? back() : false;
      if (!top.rational() || !bottom.rational()) return back();
      n = top.value(), d = bottom.value();
      // 2\frac{7}{3} may be meant as a product; symbols are handled there too.
      if (!n.integer() || !d.integer() || n.n <= 0 || d.n <= n.n) {
        pos_ = here;
        return fail();
      }
    } else if (gap && is_digit(peek())) {
      if (!number(n) || !take('/') || !is_digit(peek()) || !number(d)) return fail();
      if (!n.integer() || !d.integer() || n.n <= 0 || d.n <= n.n) return fail();
    } else {
      return back();
    }
    const char next = peek();
    if (next == '^' || next == '!' || is_digit(next) || next == '.') return fail();
    out = constant(add(budget_, whole, multiply(budget_, n, invert(budget_, d))));
    return ok();
  }

  bool implicit_factor() {
    const char c = peek();
    if (c == '(' || c == '{') return true;
    if (c == '[') return true;
    if (is_letter(c)) return !at_conjunction();
    if (c != '\\' || at_conjunction()) return false;
    const std::string_view name = command();
    static constexpr std::string_view kAtoms[] = {"frac",   "dfrac",  "tfrac", "cfrac",
                                                  "sqrt",   "pi",     "binom", "dbinom",
                                                  "tbinom", "lfloor", "lceil"};
    return one_of(name, kAtoms) || one_of(name, kGreek) || one_of(name, kFunctions) ||
           one_of(name, kWrappers);
  }

  // A unit after a number is dressing: 5.4 \text{ cents}, 864 \mbox{ inches}^2, 12 cm.
  bool unit(const Expression& value) {
    const std::size_t start = pos_;
    if (!value.numeric()) return false;
    const std::string_view name = command();
    bool any = false;
    if (one_of(name, kWrappers)) {
      advance(name);
      if (!take('{')) return back_to(start);
      while (!take('}')) {
        if (peek() == '/' || peek() == '.') {
          ++pos_;
          continue;
        }
        if (!unit_word(any)) return back_to(start);
      }
    } else {
      for (;;) {
        const std::string_view w = word();
        if (w.size() < 2 || !is_unit(w)) break;
        if (!unit_word(any)) return back_to(start);
      }
    }
    if (!any) return back_to(start);
    unit_power();
    return true;
  }
  bool back_to(std::size_t start) {
    pos_ = start;
    return false;
  }
  bool unit_word(bool& any) {
    const std::string_view w = word();
    if (w.empty() || !is_unit(w)) return false;
    pos_ += w.size();
    any = true;
    unit_power();
    return true;
  }
  void unit_power() {
    const std::size_t start = pos_;
    if (!take('^')) return;
    const bool braced = take('{');
    const char c = peek();
    if (c != '2' && c != '3') {
      pos_ = start;
      return;
    }
    ++pos_;
    if (braced && !take('}')) pos_ = start;
  }

  bool factor(Expression& out) {
    const Nest nest(*this);
    if (!ok() || !primary(out)) return false;
    for (;;) {
      if (!ok()) return false;
      const char c = peek();
      if (c == '!') {
        ++pos_;
        if (!factorial(out)) return false;
      } else if (c == '^') {
        ++pos_;
        if (degrees()) continue;
        Expression exponent;
        if (!exponent_of(exponent)) return false;
        out = power(budget_, out, exponent);
      } else if (c == '*' && pos_ + 1 < s_.size() && s_[pos_ + 1] == '*') {
        pos_ += 2;
        const bool negative = take('-');
        Expression exponent;
        if (!factor(exponent)) return false;
        out = power(budget_, out, negative ? negate(std::move(exponent)) : exponent);
      } else if (c == '\'' || c == '_') {
        return fail();
      } else {
        return true;
      }
    }
  }

  // ^\circ and ^{\circ}: degrees are dressing.
  bool degrees() {
    const std::size_t start = pos_;
    const bool braced = take('{');
    if (take_command("circ") && (!braced || take('}'))) return true;
    pos_ = start;
    return false;
  }

  bool exponent_of(Expression& out) {
    const char c = peek();
    if (c == '{') return group(out, '{', '}');
    if (c == '(') return group(out, '(', ')');
    const bool negative = take('-');
    if (is_digit(peek())) {
      // 2^10 is 2^{1}0 to LaTeX and 2^{10} to everybody else.
      const std::size_t at = pos_;
      if (pos_ + 1 < s_.size() && is_digit(s_[pos_ + 1])) return fail();
      out = constant({s_[at] - '0', 1});
      ++pos_;
      if (pos_ < s_.size() && (s_[pos_] == '.' || s_[pos_] == '/') && pos_ + 1 < s_.size() &&
          is_digit(s_[pos_ + 1])) {
        return fail();  // x^1/2
      }
    } else if (is_letter(peek())) {
      if (word().size() > 1) return fail();
      if (!symbol(out)) return false;
    } else if (command() == "pi" || one_of(command(), kGreek) || command() == "frac") {
      if (!primary(out)) return false;
    } else {
      return fail();
    }
    if (negative) out = negate(std::move(out));
    return true;
  }

  bool factorial(Expression& x) {
    if (x.rational() && x.value().integer()) {
      const Int n = x.value().n;
      if (n < 0) return fail();
      if (n <= 33) {
        Rational value{1, 1};
        for (Int k = 2; k <= n; ++k) value = multiply(budget_, value, {k, 1});
        x = constant(value);
        return ok();
      }
    }
    return opaque_atom(x, concat({"(", to_string(x), ")!"}));
  }

  bool opaque_atom(Expression& out, std::string name) {
    if (name.size() > 4096) return fail();
    out = atom(FactorKind::kOpaque, std::move(name));
    return true;
  }

  bool group(Expression& out, char open, char close) {
    if (!take(open)) return fail();
    ++brackets_;
    if (!sum(out) || unit_ended_) return fail();
    if (!take(close)) return fail();
    --brackets_;
    return true;
  }

  // A TeX argument: a group, one digit, one letter or one command.
  bool argument(Expression& out) {
    const Nest nest(*this);
    if (!ok()) return false;
    const char c = peek();
    if (c == '{') return group(out, '{', '}');
    if (is_digit(c)) {
      out = constant({c - '0', 1});
      ++pos_;
      return true;
    }
    if (is_letter(c)) {
      const char letter = s_[pos_++];
      out =
          letter == 'i' ? atom(FactorKind::kI) : atom(FactorKind::kSymbol, std::string(1, letter));
      return true;
    }
    if (c == '\\') return primary(out);
    return fail();
  }

  bool number(Rational& out) {
    skip();
    std::size_t i = pos_;
    std::string digits;
    // 1,234,567 outside brackets, when the whole run of digits and commas has that form.
    if (brackets_ == 0 && is_digit(s_[i]) && s_[i] != '0' && (i == 0 || s_[i - 1] != ',')) {
      std::size_t end = i;
      while (end < s_.size() && is_digit(s_[end])) ++end;
      bool thousands = end - i <= 3;
      std::size_t k = end;
      while (thousands && k < s_.size() && s_[k] == ',' && k + 1 < s_.size() &&
             is_digit(s_[k + 1])) {
        std::size_t stop = k + 1;
        while (stop < s_.size() && is_digit(s_[stop])) ++stop;
        thousands = stop - k == 4;
        k = stop;
      }
      if (thousands && k > end) {
        for (std::size_t at = i; at < k; ++at) {
          if (s_[at] != ',') digits += s_[at];
        }
        i = k;
        merged_thousands_ = true;
      }
    }
    if (digits.empty()) {
      while (i < s_.size() && (is_digit(s_[i]) || s_[i] == kThousands)) {
        if (s_[i] == kThousands) {
          if (i + 3 >= s_.size() || !is_digit(s_[i + 1]) || !is_digit(s_[i + 2]) ||
              !is_digit(s_[i + 3])) {
            return fail();
          }
        } else {
          digits += s_[i];
        }
        ++i;
      }
    }
    std::int64_t scale = 0;
    if (i < s_.size() && s_[i] == '.') {
      std::size_t k = i + 1;
      while (k < s_.size() && is_digit(s_[k])) {
        digits += s_[k++];
        --scale;
      }
      if (k == i + 1 && digits.empty()) return fail();
      i = k;
      if (i < s_.size() && s_[i] == '.') return fail();
    }
    if (digits.empty() || digits.size() > 60) return fail();
    // e-notation needs its digits at once: 4.5e33, 1e-5.
    if (i < s_.size() && (s_[i] == 'e' || s_[i] == 'E')) {
      std::size_t k = i + 1;
      bool negative = false;
      if (k < s_.size() && (s_[k] == '-' || s_[k] == '+')) negative = s_[k++] == '-';
      if (k < s_.size() && is_digit(s_[k])) {
        std::int64_t e = 0;
        while (k < s_.size() && is_digit(s_[k]) && e < 10000) e = 10 * e + (s_[k++] - '0');
        if (k < s_.size() && (is_digit(s_[k]) || s_[k] == '.' || is_letter(s_[k]))) return fail();
        scale += negative ? -e : e;
        i = k;
      }
    }
    pos_ = i;
    Rational value;
    for (const char c : digits) {
      value = add(budget_, multiply(budget_, value, {10, 1}), {c - '0', 1});
    }
    if (scale != 0) value = multiply(budget_, value, power(budget_, {10, 1}, scale));
    out = value;
    return ok();
  }

  bool primary(Expression& out) {
    const Nest nest(*this);
    if (!ok()) return false;
    const char c = peek();
    if (is_digit(c) || c == '.') {
      Rational value;
      if (!number(value)) return fail();
      out = constant(value);
      return true;
    }
    if (c == '(') return group(out, '(', ')');
    if (c == '[') return group(out, '[', ']');
    if (c == '{') return group(out, '{', '}');
    if (is_letter(c)) return letters(out);
    if (c == '\\') return command_value(out);
    return fail();
  }

  bool letters(Expression& out) {
    const std::string_view w = word();
    if (w == "pi") {
      pos_ += 2;
      out = atom(FactorKind::kPi);
      return true;
    }
    if (w == "sqrt") {
      pos_ += 4;
      Expression inner;
      if (peek() != '(' || !group(inner, '(', ')')) return fail();
      out = power(budget_, inner, constant({1, 2}));
      return ok();
    }
    if (w.size() > 3) return fail();
    if (w.size() == 3 && !(w[0] < w[1] && w[1] < w[2])) return fail();  // "cat" is no product
    if (w == "no" || w == "or" || w == "oo" || w == "ln" || w == "inf") return fail();
    return symbol(out);
  }

  bool symbol(Expression& out) {
    const char c = s_[pos_++];
    std::string name(1, c);
    if (peek() == '_') {
      if (!subscript(name)) return false;
      out = atom(FactorKind::kSymbol, std::move(name));
    } else {
      out = c == 'i' ? atom(FactorKind::kI) : atom(FactorKind::kSymbol, std::move(name));
    }
    return peek() != '(' || multiplies(c);
  }

  // Is a letter before '(' a factor, or a function? n(n-1) is a product, x(t) and f(2x) are not.
  bool multiplies(char letter) {
    if (kApplying.find(letter) != kNone) return fail();
    bool commas;
    const std::size_t end = closing(commas);
    if (end == kNone || commas) return fail();
    for (std::size_t i = pos_ + 1; i < end; ++i) {
      if (s_[i] == '+' || s_[i] == '-') return true;
    }
    return fail();
  }

  bool subscript(std::string& name) {
    if (!take('_')) return fail();
    std::string label;
    const char c = peek();
    if (c == '{') {
      ++pos_;
      int level = 1;
      while (pos_ < s_.size() && level > 0) {
        const char d = s_[pos_++];
        if (d == '{') {
          ++level;
        } else if (d == '}') {
          --level;
        } else if (is_letter(d) || is_digit(d) || d == '\\') {
          label += d;
        } else if (d != ' ') {
          return fail();
        }
      }
      if (level != 0) return fail();
    } else if (is_letter(c) || is_digit(c)) {
      label = std::string(1, c);
      ++pos_;
    } else {
      const std::string_view greek = command();
      if (!one_of(greek, kGreek)) return fail();
      label = concat({"\\", greek});
      advance(greek);
    }
    for (const std::string_view wrapper : {"\\text", "\\mathrm"}) {
      for (std::size_t at; (at = label.find(wrapper)) != kNone;) label.erase(at, wrapper.size());
    }
    if (label.empty() || label.size() > 32) return fail();
    name += label.size() == 1 ? concat({"_", label}) : concat({"_{", label, "}"});
    return true;
  }

  bool command_value(Expression& out) {
    const std::string_view name = command();
    if (name.empty()) return fail();
    advance(name);
    if (name == "pi") {
      out = atom(FactorKind::kPi);
      return true;
    }
    if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
      Expression top, bottom;
      if (!argument(top) || !argument(bottom)) return fail();
      out = divide(budget_, top, bottom);
      return ok();
    }
    if (name == "sqrt") {
      Rational degree{2, 1};
      if (peek() == '[') {
        Expression index;
        if (!group(index, '[', ']') || !index.rational() || !index.value().integer()) return fail();
        degree = index.value();
        if (degree.n < 2) return fail();
      }
      Expression inner;
      if (peek() == '(') {
        if (!group(inner, '(', ')')) return false;
      } else if (is_digit(peek()) && pos_ + 1 < s_.size() && is_digit(s_[pos_ + 1])) {
        return fail();  // \sqrt12
      } else if (!argument(inner)) {
        return false;
      }
      out = power(budget_, inner, constant(invert(budget_, degree)));
      return ok();
    }
    if (name == "binom" || name == "dbinom" || name == "tbinom") {
      Expression top, bottom;
      if (!argument(top) || !argument(bottom)) return fail();
      return binomial(out, top, bottom);
    }
    if (name == "lfloor" || name == "lceil") {
      Expression inner;
      const bool floor = name == "lfloor";
      if (!sum(inner) || !take_command(floor ? "rfloor" : "rceil")) return fail();
      if (inner.rational()) {
        const Rational x = inner.value();
        Int whole = x.n / x.d;
        if (floor && x.n % x.d < 0) --whole;
        if (!floor && x.n % x.d > 0) ++whole;
        out = constant({whole, 1});
        return true;
      }
      return opaque_atom(out, concat({floor ? "\\lfloor " : "\\lceil ", to_string(inner),
                                      floor ? "\\rfloor " : "\\rceil "}));
    }
    if (one_of(name, kGreek)) {
      std::string label = concat({"\\", name});
      if (peek() == '_' && !subscript(label)) return false;
      out = atom(FactorKind::kSymbol, concat({label, " "}));
      return peek() != '(' || multiplies('k');
    }
    if (one_of(name, kFunctions)) return function(out, name);
    if (one_of(name, kWrappers)) {
      // A font around a value: \mathbf{x}, \text{(C)}, \mathrm{e}. Words inside are no value.
      if (peek() != '{') return fail();
      std::size_t letters = 0;
      const std::size_t end = s_.find('}', pos_);
      if (end == kNone) return fail();
      for (std::size_t i = pos_; i < end; ++i) letters += is_letter(s_[i]);
      if (letters > 1 && name != "boxed" && name != "fbox") return fail();
      return group(out, '{', '}');
    }
    return fail();
  }

  bool binomial(Expression& out, const Expression& top, const Expression& bottom) {
    if (top.rational() && bottom.rational() && top.value().integer() && bottom.value().integer()) {
      const Int n = top.value().n, k = bottom.value().n;
      if (n < 0 || k < 0 || n > 200) return fail();
      if (k > n) {
        out = constant({});
        return true;
      }
      Rational value{1, 1};
      for (Int j = 1; j <= k && ok(); ++j)
        value = multiply(budget_, value, make_rational(budget_, n - k + j, j));
      out = constant(value);
      return ok();
    }
    return opaque_atom(out, concat({"\\binom{", to_string(top), "}{", to_string(bottom), "}"}));
  }

  bool function(Expression& out, std::string_view name) {
    std::string label = concat({"\\", name});
    Expression exponent = constant({1, 1});
    for (int round = 0; round < 2; ++round) {
      if (name == "log" && peek() == '_') {
        ++pos_;
        Expression base;
        if (!argument(base)) return false;
        label += concat({"_{", to_string(base), "}"});
      } else if (peek() == '^') {
        ++pos_;
        if (!exponent_of(exponent)) return false;
        if (!exponent.rational() || !exponent.value().integer() || exponent.value().n < 1)
          return fail();
      }
    }
    Expression inner;
    if (peek() == '(') {
      if (!group(inner, '(', ')')) return false;
    } else if (peek() == '{') {
      if (!group(inner, '{', '}')) return false;
    } else {
      // \sin 2x may stop after 2 or after x: only one factor is read without brackets.
      const char c = peek();
      if (!is_digit(c) && !is_letter(c) && c != '\\') return fail();
      if (is_letter(c) && word().size() > 1) return fail();
      if (one_of(command(), kFunctions)) return fail();
      if (!primary(inner)) return false;
      const char next = peek();
      if (next == '^' || next == '!' || next == '/' || implicit_factor()) return fail();
    }
    if (!opaque_atom(out, concat({label, "(", to_string(inner), ")"}))) return false;
    out = power(budget_, out, exponent);
    return ok();
  }

  std::string_view s_;
  std::size_t pos_ = 0;
  Budget budget_;
  int depth_ = 0;
  int brackets_ = 0;
  int sign_ = 1;   // what \pm stands for in this reading
  int signs_ = 0;  // how many were met in this item
  bool unit_ended_ = false;
  bool merged_thousands_ = false;
};

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// The inside of a box or font that holds the whole answer.
std::string_view unwrapped(std::string_view s) {
  for (int round = 0; round < 4; ++round) {
    if (s.empty() || s.front() != '\\' || s.back() != '}') return s;
    std::size_t end = 1;
    while (end < s.size() && is_letter(s[end])) ++end;
    if (!one_of(s.substr(1, end - 1), kWrappers)) return s;
    while (end < s.size() && s[end] == ' ') ++end;
    if (s[end] != '{') return s;
    int level = 0;
    for (std::size_t i = end; i + 1 < s.size(); ++i) {
      if (s[i] == '\\') {
        ++i;
      } else if (s[i] == '{') {
        ++level;
      } else if (s[i] == '}' && --level == 0) {
        return s;
      }
    }
    s = trim(s.substr(end + 1, s.size() - end - 2));
  }
  return s;
}

}  // namespace

bool parse_answer(std::string_view text, Value& value) {
  value = Value();
  std::string words = plain_words(text);
  if (!words.empty()) {
    value.kind = ValueKind::kText;
    value.text = std::move(words);
    return true;
  }
  std::string clean;
  if (!clean_latex(text, clean)) return false;
  std::string_view s = trim(clean);
  if (s.size() > 4 && s.substr(0, 2) == "**" && s.substr(s.size() - 2) == "**") {
    s = trim(s.substr(2, s.size() - 4));
  }
  const auto drop_period = [&] {
    for (int k = 0; k < 2 && !s.empty() && s.back() == '.'; ++k)
      s = trim(s.substr(0, s.size() - 1));
  };
  drop_period();
  s = unwrapped(s);
  drop_period();
  if (s.empty()) return false;
  Value out;
  if (!Parser(s).answer(out)) return false;
  value = std::move(out);
  return true;
}

std::string to_string(const Value& value) {
  const auto joined = [&](std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < value.parts.size(); ++i) {
      if (i > 0) out += separator;
      out += to_string(value.parts[i]);
    }
    return out;
  };
  switch (value.kind) {
    case ValueKind::kExpression:
      return to_string(value.expression);
    case ValueKind::kInfinity:
    case ValueKind::kNumeral:
      return value.text;
    case ValueKind::kText:
      return concat({"\\text{", value.text, "}"});
    case ValueKind::kBracket:
      return concat({{&value.open, 1}, joined(","), {&value.close, 1}});
    case ValueKind::kSet:
      return concat({"\\{", joined(","), "\\}"});
    case ValueKind::kList:
      return joined(", ");
    case ValueKind::kUnion:
      return joined("\\cup ");
    case ValueKind::kMatrix:
      break;
  }
  std::string out = "\\begin{pmatrix}";
  for (std::size_t i = 0; i < value.parts.size(); ++i) {
    if (i > 0) out += i % value.columns == 0 ? "\\\\" : "&";
    out += to_string(value.parts[i]);
  }
  return out + "\\end{pmatrix}";
}

}  // namespace rlvr::answers
