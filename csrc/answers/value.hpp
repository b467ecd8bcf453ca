// The value of a parsed answer.
#pragma once

#include <string>
#include <vector>

#include "answers/expression.hpp"

namespace rlvr::answers {

enum class ValueKind : std::uint8_t {
  kExpression,
  kInfinity,  // text is "\infty" or "-\infty"
  kBracket,   // a tuple or an interval, with its open and close signs; (1,2) may be either
  kSet,       // order-free, no element twice
  kList,      // order-free, some element twice
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
  std::string text;
};

// Reads text as an answer. False where the value cannot be determined; `value` is then undefined.
bool parse_answer(std::string_view text, Value& value);
// A text that parse_answer reads as the same value.
std::string to_string(const Value& value);

}  // namespace rlvr::answers
