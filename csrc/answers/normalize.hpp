// The canonical form of an answer. Two answers with equal canonical bytes have equal values; an
// answer whose value can't be told exactly is unresolved: its form begins with '?', which no
// resolved form does, and holds the answer's text with its blanks collapsed.
//
// What is dressing, and dropped: \text and font commands, \left/\right, spacing, math delimiters,
// a final period, currency signs, degrees, units (as every rule grader does), "x =" before a value.
// What is exact: sums of rational multiples of radicals, powers of pi, i and symbols; tuples,
// intervals, sets, matrices and words. Percentages are left unresolved: golds mean 50% as 50 or .5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rlvr::answers {

// Longer answers are not parsed.
constexpr std::size_t kMaxParsedBytes = 4096;

// Appends the canonical form to out and tells whether it is resolved. Valid UTF-8 out, any bytes
// in.
bool normalize(std::string_view answer, std::string& out);

enum class Comparison : unsigned char { kEqual, kDifferent, kUnknown };

// Of two canonical forms. kDifferent is said only of values that are different by more than any
// verifier's rounding (math-verify 0.9 compares floats to 6 decimals).
Comparison compare_canonical(std::string_view gold, std::string_view answer);

// Remembers the forms of answers seen lately; for one thread.
class NormalizeCache {
 public:
  NormalizeCache() : entries_(kEntries) {}
  // The view holds until the next call.
  std::string_view operator()(std::string_view answer, bool& resolved);

 private:
  static constexpr std::size_t kEntries = 2048;
  struct Entry {
    std::string answer, canonical;
    bool resolved = false, used = false;
  };
  std::vector<Entry> entries_;
  std::string scratch_;
};

}  // namespace rlvr::answers
