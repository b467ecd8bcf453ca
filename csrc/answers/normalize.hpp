// The canonical form of an answer. Two answers with equal canonical bytes have one verdict against
// every gold; an answer whose exact value cannot be determined is unresolved: its form is '?' and
// the text of the answer with blanks collapsed. No resolved form begins with '?'.
//
// Dropped as typography: \text and font commands, \left/\right, spacing, math delimiters, a final
// period. Represented exactly: sums of rational multiples of radicals, powers of pi, i and symbols;
// tuples, intervals, sets, lists, matrices and words; the name in "x =", and one unit. Left
// unresolved: what has several readings, or a value that these do not hold, such as percentages.
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

// Compares two canonical forms. kUnknown means that the forms do not tell.
CanonicalComparison compare_canonical(std::string_view gold, std::string_view answer);

// Appends the form that stands for all forms that differ from it in dressing only, given the gold:
// a name or unit that the gold lacks is dropped, one that only the gold has is added, a list that
// meets no tuple is sorted. Both forms have one verdict against this gold.
void complete_form(std::string_view form, std::string_view gold, std::string& out);

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
