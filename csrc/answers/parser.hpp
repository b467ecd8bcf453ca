// The parser of answers: recursive descent, bounded in depth and work. Where an answer has two
// readings in LaTeX or plain text, parsing fails and the answer stays unresolved.
//
//   answer      = list                                            parse_lists.cpp
//   list        = [name "="] [currency] union {"," union}
//   union       = component {"\cup" component}                    parse_collections.cpp
//   component   = bracket | set | matrix | infinity | numeral | sum
//   sum         = [sign] term {sign term}                         parse_arithmetic.cpp
//   term        = (mixed number | factor) {[operator] factor} [unit]
//   factor      = primary {"!" | "^" exponent}
//   primary     = number | group | letters | command              parse_atoms.cpp
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answers/value.hpp"

namespace rlvr::answers {

namespace parser_detail {

constexpr std::size_t kNone = std::string_view::npos;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Whether a letter names functions: before a parenthesis it may be a function instead of a factor.
inline bool may_apply(char letter) {
  return std::string_view("fghpquvwyFGHPQTUVWXYI").find(letter) != kNone;
}

template <std::size_t N>
bool one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

inline constexpr std::string_view kGreek[] = {
    "alpha", "beta",   "gamma",  "delta", "epsilon", "varepsilon", "zeta",  "eta",    "theta",
    "iota",  "kappa",  "lambda", "mu",    "nu",      "xi",         "rho",   "sigma",  "tau",
    "phi",   "varphi", "chi",    "psi",   "omega",   "Gamma",      "Theta", "Lambda", "Phi",
    "Psi",   "Omega",  "hbar",   "ell",   "Xi",      "vartheta"};
inline constexpr std::string_view kFunctions[] = {"sin",  "cos",    "tan",    "cot",    "sec",
                                                  "csc",  "arcsin", "arccos", "arctan", "sinh",
                                                  "cosh", "tanh",   "ln",     "log",    "exp"};
inline constexpr std::string_view kWrappers[] = {
    "text",         "textbf",     "textit", "textrm",     "mathrm", "mathbf", "mbox", "mathit",
    "operatorname", "textnormal", "mathsf", "boldsymbol", "boxed",  "fbox",   "bold", "textsf"};

}  // namespace parser_detail

class Parser {
 public:
  explicit Parser(std::string_view text) : s_(text) {}

  // Reads the whole text. False where the value cannot be determined.
  bool answer(Answer& out);

 private:
  static constexpr int kMaxDepth = 40;

  // Signs and words; skips the blanks before them.
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
    while (end < s_.size() && parser_detail::is_letter(s_[end])) ++end;
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
    while (end < s_.size() && parser_detail::is_letter(s_[end])) ++end;
    return s_.substr(pos_, end - pos_);
  }

  struct Nest {
    Parser& p;
    explicit Nest(Parser& parser) : p(parser) {
      if (++p.depth_ > kMaxDepth || !p.budget_.spend(4)) p.budget_.fail();
    }
    ~Nest() { --p.depth_; }
  };

  // Lists and structures.
  // A set of items without order; fails where an element is written twice.
  bool braced(Value& out, std::vector<Value> items);
  // The "x =" or "f(x) =" at pos_; returns the name, or nothing.
  std::optional<std::string> assignment();
  bool variable(std::string& name);
  // The sign of a currency at pos_; empty where there is none.
  std::string currency();
  // Items up to a brace, or to the end.
  bool list(std::vector<Value>& items);
  // A: a choice, or a symbol.
  static bool letter_alone(const Value& value);
  static bool mentions(const Value& value, const std::string& name);
  bool union_of(Value& out);
  // Where the bracket at pos_ closes (any kind closes any: "(3,4]"), and whether commas separate
  // parts inside it.
  std::size_t closing(bool& commas);
  bool component(Value& out);
  bool infinity(Value& out);
  // 52_8: digits with a base.
  bool numeral(Value& out);
  bool bracket(Value& out);
  bool set(Value& out);
  bool matrix(Value& out);

  // Arithmetic.
  bool sum(Expression& out);
  bool term(Expression& out);
  // 1\frac{4}{5}, 3 1/2: an integer and a proper fraction side by side are added.
  bool mixed_number(Expression& out);
  bool implicit_factor();
  // A unit after a number: 5.4 \text{ cents}, 864 \mbox{ inches}^2, 12 cm.
  bool unit(const Expression& value);
  bool back_to(std::size_t start);
  bool unit_word();
  void unit_power();
  bool factor(Expression& out);
  // ^\circ, ^{\circ} and \degree.
  bool degrees();
  bool exponent_of(Expression& out);
  bool factorial(Expression& x);
  bool opaque_atom(Expression& out, std::string name);
  bool group(Expression& out, char open, char close);
  // A TeX argument: a group, one digit, one letter or one command.
  bool argument(Expression& out);

  // Numbers, symbols and commands.
  bool number(Rational& out);
  bool primary(Expression& out);
  bool braces(Expression& out);
  bool letters(Expression& out);
  bool symbol(Expression& out);
  // Is a letter before '(' a factor, or a function? n(n-1) is a product, x(t) and f(2x) are not.
  bool multiplies(char letter);
  bool subscript(std::string& name);
  bool command_value(Expression& out);
  bool binomial(Expression& out, const Expression& top, const Expression& bottom);
  bool function(Expression& out, std::string_view name);

  std::string_view s_;
  std::size_t pos_ = 0;
  Budget budget_;
  int depth_ = 0;
  int brackets_ = 0;
  std::string unit_;     // the unit that ended the item; empty for none
  std::string decimal_;  // the last decimal of many digits
  std::string_view decimal_written_;
  int decimals_ = 0;  // the number of such decimals
  bool merged_thousands_ = false;
};

}  // namespace rlvr::answers
