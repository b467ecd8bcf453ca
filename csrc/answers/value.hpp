// The value of a parsed answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "answers/expression.hpp"

namespace rlvr::answers {

enum class ValueKind : std::uint8_t {
  kExpression,
  kInfinity,  // text is "\infty" or "-\infty"
  kBracket,   // a tuple or an interval, with its open and close signs; (1,2) may be either
  kSet,       // \{1,2\}: order-free, no element twice
  kList,      // 1,2: in the order as written, which is that of a tuple
  kUnion,
  kMatrix,
  kText,     // words
  kNumeral,  // digits with a base: 52_8
};

struct Value {
  ValueKind kind = ValueKind::kExpression;
  Expression expression;
  std::vector<Value> parts;
  std::size_t columns = 0;  // of a matrix
  char open = 0, close = 0;
  // Of an expression: empty, or the decimal of many digits that was written. It may be rounded from
  // a value that does not end.
  std::string text;

  bool rounded() const { return kind == ValueKind::kExpression && !text.empty(); }
};

// A whole answer: a value, and what may stand around it; empty where nothing does.
struct Answer {
  Value value;
  std::string name;  // "x" of x = 5, "f(x)" of f(x) = 5
  std::string unit;  // "cm^2", "^\\circ", or a currency sign: "\\$", or one sign of UTF-8
};

// The unit of degrees, however written.
constexpr std::string_view kDegrees = "^\\circ";
// Whether a symbol may be the abbreviation of a unit (m, A).
bool may_abbreviate_unit(std::string_view symbol);
// The units that stand before a number.
bool is_currency_sign(std::string_view unit);

// Reads text as an answer. False where the value cannot be determined; `out` is then undefined.
bool parse_answer(std::string_view text, Answer& out);
// Texts that parse_answer reads as the same.
std::string to_string(const Value& value);
std::string to_string(const Answer& answer);

}  // namespace rlvr::answers
