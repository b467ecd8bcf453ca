// Normalises arbitrary bytes. The form must be valid UTF-8, begin with '?' exactly where
// unresolved, and not depend on outer blanks; a resolved form is its own form. The comparison must
// be symmetric. A completion must be complete, and equal to no other values than the form.
#include <cstdlib>
#include <string>

#include "answers/extract.hpp"
#include "answers/normalize.hpp"

using namespace rlvr::answers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string form, again;
  const bool resolved = normalize(text, form);
  if (form.empty() || (form[0] == '?') == resolved || !is_valid_utf8(form)) std::abort();
  std::string own;
  if (resolved && (!normalize(form, own) || own != form)) std::abort();
  if (normalize(" " + text + "\n", again) != resolved || again != form) std::abort();
  if (compare_canonical(form, form) != CanonicalComparison::kEqual) std::abort();
  const std::size_t half = size / 2;
  std::string left, right;
  normalize(std::string_view(text).substr(0, half), left);
  normalize(std::string_view(text).substr(half), right);
  const CanonicalComparison before = compare_canonical(left, right);
  if (before != compare_canonical(right, left)) std::abort();
  std::string completed, twice;
  complete_form(right, left, completed);
  complete_form(completed, left, twice);
  if (twice != completed) std::abort();
  const CanonicalComparison after = compare_canonical(left, completed);
  if (before != after && before != CanonicalComparison::kUnknown &&
      after != CanonicalComparison::kUnknown) {
    std::abort();
  }
  return 0;
}
