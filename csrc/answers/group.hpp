// Groups rows by (problem, answer). Rows are split by hash into shards; a shard belongs to one task
// at a time, so no locks are held, and rows reach a shard in order, so the result is the same for
// any number of threads. Equal hashes are always confirmed by comparing bytes.
//
// A group takes 48 bytes, at most 15.5 bytes of the table (while the table doubles), and the bytes
// of an answer longer than 16. Rows are read in batches of fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "answers/entries.hpp"
#include "answers/hash.hpp"
#include "answers/problem_table.hpp"
#include "answers/shard.hpp"
#include "common/error.hpp"
#include "common/parallel.hpp"
#include "common/prefetch.hpp"

namespace rlvr::answers {

// Rows of a batch, 32 bytes each and the bytes of an answer longer than 12, up to 64. A small batch
// keeps an index small. A large batch, used where all rows are in memory, loads a shard's groups
// into the cache less often.
constexpr std::int64_t kSmallBatch = 1 << 18;
constexpr std::int64_t kLargeBatch = 1 << 20;
constexpr int kBatchTasks = 8;
static_assert(kLargeBatch <= 1 << kBatchRowBits);

// The group of each row, before the groups are in order.
struct RowGroups {
  // The rows [begin, end) of one task. groups: by the place of an entry, the number of its group in
  // the shard of its chunk; zero where a chunk has no entry.
  struct Part {
    std::int64_t begin = 0, end = 0;
    std::vector<std::uint8_t> shards;  // of each chunk
    std::vector<std::uint32_t> groups;
  };
  std::uint32_t* places = nullptr;  // one a row: the place of its entry (see TaskEntries::add)
  std::vector<Part> parts;
};

class GroupIndex {
 public:
  // hash_bits below 128 shortens the hash, which forces collisions: for tests only.
  explicit GroupIndex(int hash_bits = 128);
  GroupIndex(const GroupIndex&) = delete;
  GroupIndex& operator=(const GroupIndex&) = delete;

  ProblemTable& problems() { return problems_; }
  const ProblemTable& problems() const { return problems_; }
  std::uint64_t num_rows() const { return num_rows_; }
  std::uint64_t num_groups() const;
  const Shard& shard(int s) const { return shards_[s]; }
  std::size_t memory() const;

  // Adds rows [0, rows). For a part of a batch, source(task, begin, end, sink) calls sink(row,
  // problem code, is_null, answer) for each row in order; answers must stay in place until source
  // is called again for that task. row_groups, where not null, receives the group of each row.
  template <typename Source>
  void add_rows(std::int64_t rows, const Source& source, RowGroups* row_groups = nullptr,
                std::int64_t batch_rows = kSmallBatch);

  // Adds one whole group, for merging and loading.
  void add_group(std::uint32_t problem, bool null, std::string_view answer, std::uint64_t count,
                 std::uint64_t first_row);
  void add_row_count(std::uint64_t rows) { num_rows_ += rows; }

  // Adds the groups of other, as if the rows of other followed the rows of this index.
  void merge(const GroupIndex& other);

  // Groups in the order of their first rows, as shard << 26 | group.
  std::vector<std::uint32_t> order() const;
  const Group& group(std::uint32_t shard_group) const {
    return shards_[shard_group >> 26][shard_group & ((1U << 26) - 1)];
  }

  // Little-endian, versioned, with a checksum; load throws InvalidInput for anything else.
  void save(const std::string& path) const;
  void load(const std::string& path);

 private:
  Hash128 hash(std::uint32_t problem, bool null, std::string_view answer) const;
  static int shard_of(const Hash128& h) { return static_cast<int>(h.hi >> (64 - kShardBits)); }
  // parts: of the tasks, or null.
  void drain(const std::vector<TaskEntries>& tasks, RowGroups::Part* parts);

  ProblemTable problems_;
  std::array<Shard, kShards> shards_;
  std::uint64_t num_rows_ = 0;
  std::uint64_t lo_mask_ = ~0ULL, hi_mask_ = ~0ULL;
};

inline Hash128 GroupIndex::hash(std::uint32_t problem, bool null, std::string_view answer) const {
  Hash128 h = hash128(answer, (static_cast<std::uint64_t>(problem) << 1) | (null ? 1 : 0));
  h.lo &= lo_mask_, h.hi &= hi_mask_;
  return h;
}

template <typename Source>
void GroupIndex::add_rows(std::int64_t rows, const Source& source, RowGroups* row_groups,
                          std::int64_t batch_rows) {
  std::vector<TaskEntries> tasks(kBatchTasks);
  for (std::int64_t start = 0; start < rows; start += batch_rows) {
    const std::int64_t batch = std::min(batch_rows, rows - start);
    RowGroups::Part* parts = nullptr;
    if (row_groups != nullptr) {
      const std::size_t before = row_groups->parts.size();
      row_groups->parts.resize(before + kBatchTasks);
      parts = &row_groups->parts[before];
    }
    parallel_for(kBatchTasks, [&](std::int64_t task) {
      TaskEntries& entries = tasks[task];
      const std::int64_t begin = start + batch * task / kBatchTasks;
      const std::int64_t end = start + batch * (task + 1) / kBatchTasks;
      entries.next_batch(static_cast<std::size_t>(end - begin));
      if (parts != nullptr) parts[task].begin = begin, parts[task].end = end;
      std::uint32_t* const places = parts != nullptr ? row_groups->places : nullptr;
      source(static_cast<int>(task), begin, end,
             [&](std::int64_t row, std::uint32_t problem, bool null, std::string_view answer)
                 __attribute__((always_inline)) {
                   if (answer.size() >= kNullLength) {
                     throw InvalidInput("an answer of row " + std::to_string(row) +
                                        " is longer than 4 GiB");
                   }
                   prefetch_read(answer.data(), 512);
                   const std::uint32_t place = entries.add(
                       problem, null ? kNullLength : static_cast<std::uint32_t>(answer.size()),
                       answer, static_cast<std::uint32_t>(row - start),
                       [&] { return hash(problem, null, answer); });
                   if (places != nullptr) places[row] = place;
                 });
    });
    drain(tasks, parts);
    num_rows_ += static_cast<std::uint64_t>(batch);
  }
}

}  // namespace rlvr::answers
