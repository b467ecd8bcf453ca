#include "answers/near_duplicates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "answers/group.hpp"
#include "answers/hash.hpp"
#include "common/error.hpp"
#include "common/parallel.hpp"

namespace rlvr::answers {
namespace {

constexpr int kHashes = 128;
constexpr std::int64_t kTaskRows = 256;
using Signature = std::array<std::uint32_t, kHashes>;

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finisher
  x = (x ^ (x >> 30)) * hash_detail::kK1;
  x = (x ^ (x >> 27)) * hash_detail::kK2;
  return x ^ (x >> 31);
}

template <typename Task>
void for_row_ranges(std::int64_t rows, const Task& task) {
  parallel_for((rows + kTaskRows - 1) / kTaskRows,
               [&](std::int64_t t) { task(t * kTaskRows, std::min(rows, (t + 1) * kTaskRows)); });
}

Hash128 row_hash(const Chunk& chunk, std::int64_t i, std::vector<std::int64_t>& ids) {
  if (chunk.is_null(i)) return hash128({}, 1);
  if (chunk.kind() == ColumnKind::kString) return hash128(chunk.string_at(i).text);
  ids.clear();
  chunk.list_at(i, ids);
  for (std::int64_t& id : ids) {
    id = static_cast<std::int64_t>(hash_detail::little(static_cast<std::uint64_t>(id)));
  }
  return hash128({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int64_t)});
}

// The sorted set of a row's n-gram hashes. A row shorter than n is one n-gram.
void shingles(const Column& texts, std::int64_t row, int ngram, std::vector<std::uint64_t>& out) {
  std::vector<std::uint64_t> tokens;
  std::int64_t i;
  const Chunk& chunk = texts.chunk_at(row, i);
  if (chunk.is_null(i)) {
    out.clear();
    return;
  }
  if (chunk.kind() == ColumnKind::kString) {
    const std::string_view text = chunk.string_at(i).text;
    const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    for (std::size_t at = 0; at < text.size();) {
      while (at < text.size() && blank(text[at])) ++at;
      const std::size_t begin = at;
      while (at < text.size() && !blank(text[at])) ++at;
      if (at > begin) tokens.push_back(hash128(text.substr(begin, at - begin)).lo);
    }
  } else {
    std::vector<std::int64_t> ids;
    chunk.list_at(i, ids);
    for (const std::int64_t id : ids) tokens.push_back(mix(static_cast<std::uint64_t>(id) + 1));
  }
  out.clear();
  const std::size_t n = std::min(tokens.size(), static_cast<std::size_t>(ngram));
  if (n == 0) return;
  for (std::size_t at = 0; at + n <= tokens.size(); ++at) {
    std::uint64_t h = n;
    for (std::size_t k = 0; k < n; ++k) h = mix(h ^ tokens[at + k]) + hash_detail::kK0;
    out.push_back(mix(h));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

Signature sign(const std::vector<std::uint64_t>& set) {
  constexpr std::uint32_t kEmpty = 0xFFFFFFFF;
  Signature out;
  out.fill(kEmpty);
  for (const std::uint64_t h : set) {
    std::uint32_t& slot = out[h % kHashes];
    slot = std::min(slot, static_cast<std::uint32_t>(h >> 32) & 0x7FFFFFFF);
  }
  if (set.empty()) return out;
  const Signature filled = out;
  for (std::uint64_t j = 0; j < kHashes; ++j) {
    for (std::uint64_t attempt = 1; out[j] == kEmpty; ++attempt) {
      out[j] = filled[mix(j * 0x10001 + attempt * hash_detail::kK0) % kHashes];
    }
  }
  return out;
}

// The widest bands that still propose a pair at the threshold with probability 0.999.
int band_width(double threshold) {
  for (const int width : {32, 16, 8, 4, 2}) {
    const double miss = std::pow(1.0 - std::pow(threshold, width), kHashes / width);
    if (miss <= 1e-3) return width;
  }
  return 1;
}

double jaccard(const std::vector<std::uint64_t>& x, const std::vector<std::uint64_t>& y) {
  std::size_t both = 0;
  for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    if (x[i] == y[j]) {
      ++both, ++i, ++j;
    } else {
      x[i] < y[j] ? ++i : ++j;
    }
  }
  const std::size_t either = x.size() + y.size() - both;
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

class Components {
 public:
  explicit Components(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  std::uint32_t root(std::uint32_t x) {
    while (parent_[x] != x) x = parent_[x] = parent_[parent_[x]];
    return x;
  }
  void join(std::uint32_t x, std::uint32_t y) {
    x = root(x), y = root(y);
    parent_[std::max(x, y)] = std::min(x, y);  // the root is the first row
  }

 private:
  std::vector<std::uint32_t> parent_;
};

void join_near(const Column& texts, const std::vector<std::int64_t>& rows, double threshold,
               int ngram, Components& components) {
  const auto count = static_cast<std::int64_t>(rows.size());
  std::vector<Signature> signatures(count);
  for_row_ranges(count, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint64_t> set;
    for (std::int64_t r = begin; r < end; ++r) {
      shingles(texts, rows[r], ngram, set);
      signatures[r] = sign(set);
    }
  });
  const int width = band_width(threshold);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> keyed(count);
  for (int band = 0; band < kHashes / width; ++band) {
    for_row_ranges(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const auto* part = reinterpret_cast<const char*>(&signatures[r][band * width]);
        keyed[r] = {hash128({part, width * sizeof(std::uint32_t)}).lo,
                    static_cast<std::uint32_t>(r)};
      }
    });
    std::sort(keyed.begin(), keyed.end());
    // A row is compared with the first row of its bucket and with its neighbour, because the number
    // of all pairs of a bucket is quadratic.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
    for (std::int64_t i = 1, head = 0; i < count; ++i) {
      if (keyed[i].first != keyed[i - 1].first) {
        head = i;
        continue;
      }
      for (const std::int64_t other : {head, i - 1}) {
        const std::uint32_t x = keyed[other].second, y = keyed[i].second;
        if (components.root(x) != components.root(y)) pairs.emplace_back(x, y);
        if (other == i - 1) break;
      }
    }
    std::vector<char> near(pairs.size());
    for_row_ranges(static_cast<std::int64_t>(pairs.size()),
                   [&](std::int64_t begin, std::int64_t end) {
                     std::vector<std::uint64_t> x, y;
                     for (std::int64_t p = begin; p < end; ++p) {
                       shingles(texts, rows[pairs[p].first], ngram, x);
                       shingles(texts, rows[pairs[p].second], ngram, y);
                       near[p] = jaccard(x, y) >= threshold;
                     }
                   });
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      if (near[p]) components.join(pairs[p].first, pairs[p].second);
    }
  }
}

}  // namespace

Duplicates find_duplicates(const Column& texts, const DuplicateOptions& options) {
  if (texts.kind() == ColumnKind::kInteger) {
    throw InvalidInput("expected texts or lists of token ids, got integers");
  }
  if (options.threshold && !(*options.threshold > 0.0 && *options.threshold <= 1.0)) {
    throw InvalidInput("threshold: expected a Jaccard similarity in (0, 1], got " +
                       std::to_string(*options.threshold));
  }
  if (options.ngram < 1 || options.ngram > 64) throw InvalidInput("ngram: expected 1 to 64");
  const std::int64_t rows = texts.size();
  std::vector<Hash128> hashes(rows);
  for_row_ranges(rows, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> ids;
    texts.for_rows(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
      hashes[row] = row_hash(chunk, i, ids);
    });
  });
  std::vector<std::uint32_t> by_hash(rows);
  std::iota(by_hash.begin(), by_hash.end(), 0);
  std::sort(by_hash.begin(), by_hash.end(), [&](std::uint32_t x, std::uint32_t y) {
    const Hash128 &a = hashes[x], &b = hashes[y];
    return a.lo != b.lo ? a.lo < b.lo : a.hi != b.hi ? a.hi < b.hi : x < y;
  });
  std::vector<std::uint32_t> first(rows);  // of each row's exact duplicates
  for (std::int64_t i = 0; i < rows; ++i) {
    const bool same = i > 0 && hashes[by_hash[i]] == hashes[by_hash[i - 1]];
    first[by_hash[i]] = same ? first[by_hash[i - 1]] : by_hash[i];
  }
  if (options.threshold) {
    std::vector<std::int64_t> distinct;
    std::vector<std::uint32_t> place(rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      if (first[row] != row) continue;
      place[row] = static_cast<std::uint32_t>(distinct.size());
      distinct.push_back(row);
    }
    Components components(distinct.size());
    join_near(texts, distinct, *options.threshold, options.ngram, components);
    for (std::int64_t row = 0; row < rows; ++row) {
      first[row] = static_cast<std::uint32_t>(distinct[components.root(place[first[row]])]);
    }
  }
  Duplicates out;
  out.group_of_row.resize(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    if (first[row] == row) {
      out.group_of_row[row] = static_cast<std::uint32_t>(out.counts.size());
      out.counts.push_back(0);
      out.first_rows.push_back(row);
    } else {
      out.group_of_row[row] = out.group_of_row[first[row]];
    }
    ++out.counts[out.group_of_row[row]];
  }
  return out;
}

}  // namespace rlvr::answers
