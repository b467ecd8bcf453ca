#include "answers/group.hpp"

#include <algorithm>
#include <bit>

namespace rlvr::answers {

GroupIndex::GroupIndex(int hash_bits) {
  if (hash_bits < 0 || hash_bits > 128) throw InvalidInput("hash_bits must be 0 to 128");
  const auto mask = [](int bits) {
    return bits <= 0 ? 0 : bits >= 64 ? ~0ULL : (1ULL << bits) - 1;
  };
  lo_mask_ = mask(hash_bits);
  hi_mask_ = mask(hash_bits - 64);
}

std::uint64_t GroupIndex::num_groups() const {
  std::uint64_t total = 0;
  for (const Shard& shard : shards_) total += shard.size();
  return total;
}

std::size_t GroupIndex::memory() const {
  std::size_t total = sizeof *this;
  for (const Shard& shard : shards_) total += shard.memory();
  return total;
}

void GroupIndex::drain(const std::vector<TaskEntries>& tasks, RowGroups::Part* parts) {
  for (std::size_t t = 0; parts != nullptr && t < tasks.size(); ++t) {
    parts[t].shards = tasks[t].shards();
    parts[t].groups.resize(parts[t].shards.size() * TaskEntries::kChunk);
  }
  parallel_for(kShards, [&](std::int64_t s) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      tasks[t].for_chunks(
          static_cast<int>(s), [&](std::uint32_t place, std::span<const Entry> entries) {
            shards_[s].add(entries, num_rows_, parts ? &parts[t].groups[place] : nullptr);
          });
    }
  });
}

void GroupIndex::add_group(std::uint32_t problem, bool null, std::string_view answer,
                           std::uint64_t count, std::uint64_t first_row) {
  const Hash128 h = hash(problem, null, answer);
  shards_[shard_of(h)].add(h.lo, problem, null, answer, count, first_row);
}

void GroupIndex::merge(const GroupIndex& other) {
  if (&other == this) throw InvalidInput("an index can't be merged into itself");
  if (other.problems_.kind() != ProblemTable::Kind::kUnknown) {
    problems_.set_kind(other.problems_.kind());
  }
  std::vector<std::uint32_t> codes(other.problems_.size());
  for (std::uint32_t i = 0; i < codes.size(); ++i) {
    codes[i] = other.problems_.kind() == ProblemTable::Kind::kInteger
                   ? problems_.code(other.problems_.integer(i))
                   : problems_.code(other.problems_.string(i));
  }
  for (const Shard& shard : other.shards_) {
    for (std::uint32_t i = 0; i < shard.size(); ++i) {
      const Group& group = shard[i];
      add_group(codes[group.problem], group.null(), group.answer(), group.count,
                num_rows_ + group.first_row);
    }
  }
  num_rows_ += other.num_rows_;
}

std::vector<std::uint32_t> GroupIndex::order() const {
  const std::uint64_t groups = num_groups();
  std::vector<std::uint32_t> order(groups);
  if (num_rows_ <= 64 * groups) {
    // First rows are distinct, so a bitmap of them ranks the groups without sorting.
    const std::size_t words = (num_rows_ + 63) / 64;
    std::vector<std::uint64_t> bits(words);
    for (const Shard& shard : shards_) {
      for (std::uint32_t i = 0; i < shard.size(); ++i) {
        bits[shard[i].first_row / 64] |= 1ULL << (shard[i].first_row % 64);
      }
    }
    std::vector<std::uint32_t> before(words + 1);
    for (std::size_t w = 0; w < words; ++w) {
      before[w + 1] = before[w] + static_cast<std::uint32_t>(std::popcount(bits[w]));
    }
    parallel_for(kShards, [&](std::int64_t s) {
      for (std::uint32_t i = 0; i < shards_[s].size(); ++i) {
        const std::uint64_t row = shards_[s][i].first_row;
        const std::uint64_t below = bits[row / 64] & ((1ULL << (row % 64)) - 1);
        order[before[row / 64] + static_cast<std::uint32_t>(std::popcount(below))] =
            static_cast<std::uint32_t>(s) << 26 | i;
      }
    });
    return order;
  }
  std::size_t at = 0;
  for (std::uint32_t s = 0; s < kShards; ++s) {
    for (std::uint32_t i = 0; i < shards_[s].size(); ++i) order[at++] = s << 26 | i;
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return group(a).first_row < group(b).first_row;
  });
  return order;
}

}  // namespace rlvr::answers
