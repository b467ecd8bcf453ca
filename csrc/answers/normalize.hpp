// The canonical form of an answer. Two answers with equal canonical bytes have equal values; an
// answer whose exact value cannot be determined is unresolved: its form is '?' and the text of the
// answer with blanks collapsed. No resolved form begins with '?'.
//
// Dropped as typography: \text and font commands, \left/\right, spacing, math delimiters, a final
// period, currency signs, degrees, units (as every rule grader does), "x =" before a value.
// Represented exactly: sums of rational multiples of radicals, powers of pi, i and symbols; tuples,
// intervals, sets, matrices and words. Percentages are left unresolved: gold answers write 50% as
// 50 or as .5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rlvr::answers {

// Answers longer than this limit are not parsed.
constexpr std::size_t kMaxParsedBytes = 4096;

// Appends the canonical form to out and returns whether the form is resolved. The text may hold any
// bytes; the form is valid UTF-8.
bool normalize(std::string_view answer, std::string& out);

enum class CanonicalComparison : unsigned char { kEqual, kDifferent, kUnknown };

// Compares two canonical forms. kDifferent means that the values differ by more than any verifier's
// rounding (math-verify 0.9 compares floats to 6 decimals).
CanonicalComparison compare_canonical(std::string_view gold, std::string_view answer);

// Caches the forms of recent answers, for one thread.
class NormalizeCache {
 public:
  NormalizeCache() : entries_(kEntries) {}
  // The view is valid until the next call.
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
