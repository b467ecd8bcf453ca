// Extracts from arbitrary bytes by each policy: the answer must lie inside the text or the buffer,
// and within the limit.
#include <cstdlib>
#include <string>

#include "answers/extract.hpp"

using namespace rlvr::answers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto policy = static_cast<Policy>(data[0] % 7);
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t limit = 1 + data[0] % 64;
  std::string buffer;
  const Extraction found = extract(text, policy, limit, buffer);
  if ((found.status == Status::kFound) == found.answer.empty()) std::abort();
  if (found.status == Status::kFound) {
    const auto inside = [&](const std::string& s) {
      return found.answer.data() >= s.data() &&
             found.answer.data() + found.answer.size() <= s.data() + s.size();
    };
    if (found.answer.size() > limit || !(inside(text) || inside(buffer))) std::abort();
    std::string clean;
    append_utf8(found.answer, clean);
    if (!is_valid_utf8(clean)) std::abort();
  }
  return 0;
}
