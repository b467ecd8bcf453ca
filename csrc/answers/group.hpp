// Groups rows by (problem, answer). Rows are split by hash into shards; a shard belongs to one task
// at a time, so no locks are held, and rows reach a shard in order, so the result is the same for
// any number of threads. Equal hashes are always confirmed by comparing bytes.
//
// A group takes 48 bytes, at most 15.5 bytes of the table (while the table doubles), and the bytes
// of an answer longer than 16. Rows are read in batches of fixed size.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "answers/hash.hpp"
#include "common/error.hpp"
#include "common/parallel.hpp"

namespace rlvr::answers {

constexpr int kShardBits = 6;
constexpr int kShards = 1 << kShardBits;
// Rows of a batch, 32 bytes each. A small batch keeps an index small. A large batch, used where all
// rows are in memory, loads a shard's groups into the cache less often.
constexpr std::int64_t kSmallBatch = 1 << 18;
constexpr std::int64_t kLargeBatch = 1 << 21;
constexpr int kBatchTasks = 8;
constexpr int kBatchRowBits = 21;
static_assert(kLargeBatch <= 1 << kBatchRowBits);
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;  // the group of rows that have no answer

// Problem ids as small numbers. A code depends on the order in which ids arrive, and is used inside
// the index only.
class ProblemTable {
 public:
  enum class Kind : std::uint32_t { kUnknown, kInteger, kString };

  // Throws InvalidInput where integers and strings are mixed.
  void set_kind(Kind kind);
  Kind kind() const { return kind_; }
  std::uint32_t code(std::int64_t id);
  // stored, where not null, receives a view of the id; the view is valid as long as the table.
  std::uint32_t code(std::string_view id, std::string_view* stored = nullptr);
  std::size_t size() const { return kind_ == Kind::kInteger ? integers_.size() : strings_.size(); }
  std::int64_t integer(std::uint32_t code) const { return integers_[code]; }
  std::string_view string(std::uint32_t code) const { return strings_[code]; }

 private:
  Kind kind_ = Kind::kUnknown;
  std::mutex mutex_;
  std::vector<std::int64_t> integers_;
  std::deque<std::string> strings_;  // a deque, so that views of its strings stay valid
  std::unordered_map<std::int64_t, std::uint32_t> integer_codes_;
  std::unordered_map<std::string_view, std::uint32_t> string_codes_;
};

// One task's cache of the table: an id that the task has looked up before needs no lock.
class ProblemCache {
 public:
  explicit ProblemCache(ProblemTable& table) : table_(table), entries_(1024) {}
  std::uint32_t code(std::int64_t id) {
    if (last_code_ == kFree || id != last_id_) {
      last_code_ = look_up(id);
      last_id_ = id;
    }
    return last_code_;
  }
  std::uint32_t code(std::string_view id);
  // Whether the cache is large enough for prefetch(id), some rows before code(id), to pay.
  bool large() const { return used_ > 4096; }
  void prefetch(std::int64_t id) const {
    __builtin_prefetch(&entries_[place(static_cast<std::uint64_t>(id) * hash_detail::kK0)]);
  }

 private:
  std::size_t place(std::uint64_t spread) const { return (spread >> 40) & (entries_.size() - 1); }
  std::uint32_t look_up(std::int64_t id);
  static constexpr std::size_t kMaxEntries = 1 << 18;
  // Ids are mostly small numbers: those below this have their codes in an array.
  static constexpr std::uint64_t kMaxDense = 1 << 20;
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  struct Entry {
    std::uint64_t key = 0;
    const char* id = nullptr;  // of a string: its address in the table
    std::uint32_t length = 0;
    std::uint32_t code = kFree;
  };
  // The entry of a key, or the free entry where the key belongs.
  template <typename Same>
  Entry& find(std::uint64_t key, std::uint64_t spread, const Same& same);
  void added();

  ProblemTable& table_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> dense_;
  std::size_t used_ = 0;
  std::int64_t last_id_ = 0;
  std::uint32_t last_code_ = kFree;
};

struct Group {
  std::uint64_t hash;
  std::uint64_t count;
  std::uint64_t first_row;
  std::uint32_t problem;
  std::uint32_t length;
  union {
    char bytes[16];
    const char* pointer;
  };

  bool null() const { return length == kNullLength; }
  std::string_view answer() const {
    if (null()) return {};
    return {length <= sizeof bytes ? bytes : pointer, length};
  }
};
static_assert(sizeof(Group) == 48);

// Rows of one group, before their shard has counted them. Short answers are stored in the entry, so
// that grouping does not read the text again.
struct Entry {
  static constexpr std::uint32_t kMaxRepeats = (1U << (32 - kBatchRowBits)) - 1;

  std::uint64_t hash;
  std::uint32_t problem;
  std::uint32_t length;
  std::uint32_t row : kBatchRowBits;           // the first of them, in its batch
  std::uint32_t repeats : 32 - kBatchRowBits;  // how many more there are
  char bytes[12];                              // or, for longer answers, a pointer

  // The contents of bytes, as words.
  struct Words {
    std::uint64_t head;
    std::uint32_t tail;
    bool operator==(const Words&) const = default;
  };
  static Words words_of(std::string_view answer) {
    Words words{0, 0};
    const char* pointer = answer.data();
    if (answer.size() > sizeof bytes) {
      std::memcpy(&words.head, &pointer, sizeof pointer);
    } else {
      words.head = hash_detail::little(hash_detail::load_part(pointer, answer.size()));
      if (answer.size() > 8) std::memcpy(&words.tail, pointer + 8, answer.size() - 8);
    }
    return words;
  }
  void set_words(const Words& words) {
    std::memcpy(bytes, &words.head, 8);
    std::memcpy(bytes + 8, &words.tail, 4);
  }
  // The bytes of a longer answer lie in the text.
  bool outside() const { return length > sizeof bytes && length != kNullLength; }
  std::string_view answer() const {
    if (length == kNullLength) return {};
    if (length <= sizeof bytes) return {bytes, length};
    const char* pointer;
    std::memcpy(&pointer, bytes, sizeof pointer);
    return {pointer, length};
  }
  bool holds(std::uint32_t its_problem, std::uint32_t its_length, std::string_view its,
             const Words& its_words) const {
    if (problem != its_problem || length != its_length) return false;
    if (its.size() > sizeof bytes) return std::memcmp(answer().data(), its.data(), length) == 0;
    Words words;
    std::memcpy(&words.head, bytes, 8);
    std::memcpy(&words.tail, bytes + 8, 4);
    return words == its_words;
  }
};
static_assert(sizeof(Entry) == 32);

// The entries of one task for one shard. Entries are filled in place: building them elsewhere and
// copying stalls on store forwarding.
class Bucket {
 public:
  Entry& append() {
    if (size_ == capacity_) grow();
    return entries_[size_++];
  }
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  Entry& operator[](std::size_t i) { return entries_[i]; }
  const Entry& operator[](std::size_t i) const { return entries_[i]; }

 private:
  void grow();
  std::unique_ptr<Entry[]> entries_;
  std::size_t size_ = 0, capacity_ = 0;
};

// The group of each row, before the groups are in order. A row that repeats an earlier row of its
// batch names that row, so that grouping reads and writes no other memory for the repeat.
struct RowGroups {
  // The rows [begin, end) of one task, which writes here at every repeat: ranges that two threads
  // fill must not share a cache line (adjacent lines are fetched in pairs).
  struct alignas(128) Range {
    std::int64_t batch, begin, end;      // batch: the first row of its batch
    std::int64_t repeats_end = 0;        // rows from here on repeat none
    std::vector<std::uint64_t> repeats;  // a bit a row from begin on

    void repeat(std::int64_t row) {
      const auto at = static_cast<std::uint64_t>(row - begin);
      if (repeats.empty()) repeats.resize(static_cast<std::size_t>(end - begin + 63) / 64);
      repeats[at / 64] |= 1ULL << (at % 64);
      repeats_end = row + 1;
    }
    bool repeated(std::int64_t row) const {
      const auto at = static_cast<std::uint64_t>(row - begin);
      return (repeats[at / 64] >> (at % 64) & 1) != 0;
    }
  };

  // One a row: shard << 26 | group, or, of a repeat, the row of its batch that it repeats.
  std::uint32_t* codes = nullptr;
  std::vector<Range> ranges;
};

// The entries of one task. Rows often come clustered by problem, and a problem has few answers. So
// a row that repeats a recent entry is counted in that entry, without the memory traffic of a new
// entry and without a look-up in the shard. Where the first rows of a batch hold few repeats, the
// task looks for no repeats in the rest of the batch.
class alignas(128) TaskEntries {
 public:
  void next_batch();
  // row counts from the start of the batch; codes are those of the batch, or null for none. hash()
  // is called only for a row that is no repeat: words and bytes identify a repeat.
  template <typename MakeHash>
  void add(std::uint32_t problem, std::uint32_t length, std::string_view answer, std::uint32_t row,
           std::uint32_t* codes, RowGroups::Range* range, const MakeHash& hash) {
    const Entry::Words words = Entry::words_of(answer);
    Recent* recent = nullptr;
    std::uint32_t tag = 0;
    if (looking_) {
      const std::uint64_t key = short_key(problem, length, answer, words);
      tag = static_cast<std::uint32_t>(key >> 16) | 1;
      recent = &recent_[key >> (64 - kRecentBits)];
      if (looked_up_++ == kTrial) looking_ = num_repeats_ >= kTrial / 4;
      if (recent->tag == tag) {
        Entry& entry = buckets_[recent->place >> kBatchRowBits][recent->place & kPlaceMask];
        if (entry.repeats < Entry::kMaxRepeats && entry.holds(problem, length, answer, words)) {
          entry.repeats = (entry.repeats + 1) & Entry::kMaxRepeats;
          ++num_repeats_;
          if (codes != nullptr) {
            codes[row] = entry.row;
            range->repeat(range->batch + row);
          }
          return;
        }
      }
    }
    const Hash128 h = hash();
    const auto shard = static_cast<std::uint32_t>(h.hi >> (64 - kShardBits));
    Bucket& bucket = buckets_[shard];
    if (recent != nullptr) {
      *recent = {tag, shard << kBatchRowBits | static_cast<std::uint32_t>(bucket.size())};
    }
    Entry& entry = bucket.append();
    entry.hash = h.lo;
    entry.problem = problem;
    entry.length = length;
    entry.row = row & ((1U << kBatchRowBits) - 1);
    entry.repeats = 0;
    entry.set_words(words);
  }
  const Bucket& bucket(int shard) const { return buckets_[shard]; }

 private:
  static constexpr int kRecentBits = 12;
  static constexpr std::uint32_t kTrial = 8192;
  static constexpr std::uint32_t kPlaceMask = (1U << kBatchRowBits) - 1;
  struct Recent {
    std::uint32_t tag = 0;    // 0: none
    std::uint32_t place = 0;  // shard and position in its bucket
  };
  static_assert(kShardBits + kBatchRowBits <= 32);
  // Cheaper than the hash, and sufficient to find recent entries; uses the two ends of a longer
  // answer.
  static std::uint64_t short_key(std::uint32_t problem, std::uint32_t length,
                                 std::string_view answer, const Entry::Words& words) {
    std::uint64_t head = words.head, tail = words.tail;
    if (answer.size() > sizeof Entry::bytes) {
      head = hash_detail::load(answer.data());
      tail = hash_detail::load(answer.data() + answer.size() - 8);
    }
    head ^= (std::uint64_t{problem} << 32 | length) * hash_detail::kK1;
    return (head ^ std::rotl(tail * hash_detail::kK2, 32)) * hash_detail::kK0;
  }

  std::array<Bucket, kShards> buckets_;
  std::vector<Recent> recent_;
  bool looking_ = true;
  std::uint32_t looked_up_ = 0, num_repeats_ = 0;
};

class Shard {
 public:
  // The number of the group in this shard.
  std::uint32_t add(std::uint64_t hash, std::uint32_t problem, std::uint32_t length,
                    std::string_view answer, std::uint64_t count, std::uint64_t first_row);
  std::uint32_t size() const { return size_; }
  const Group& operator[](std::uint32_t i) const { return blocks_[i / kBlock][i % kBlock]; }
  std::size_t memory() const;
  // Three steps, some entries apart: the slot, the group it points to, a long answer of the group.
  void prefetch_slot(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  void prefetch_group(std::uint64_t hash) const {
    if (slots_.empty()) return;
    const std::uint32_t slot = slots_[hash & (slots_.size() - 1)];
    if (slot != 0) __builtin_prefetch(&(*this)[(slot & kGroupMask) - 1]);
  }
  void prefetch_answer(std::uint64_t hash) const {
    if (slots_.empty()) return;
    const std::uint32_t slot = slots_[hash & (slots_.size() - 1)];
    if (slot == 0) return;
    const Group& group = (*this)[(slot & kGroupMask) - 1];
    if (!group.null() && group.length > sizeof group.bytes) __builtin_prefetch(group.pointer);
  }

 private:
  static constexpr std::uint32_t kBlock = 256;
  static constexpr std::size_t kArenaBlock = 16 << 10;
  Group& at(std::uint32_t i) { return blocks_[i / kBlock][i % kBlock]; }
  void grow();
  const char* store(std::string_view answer);

  // The lower 27 bits are group + 1, or 0; the upper 5 are bits of the hash, which avoid most reads
  // of groups with other hashes.
  static constexpr std::uint32_t kGroupMask = (1U << 27) - 1;
  static std::uint32_t tag(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32) & ~kGroupMask;
  }
  std::vector<std::uint32_t> slots_;
  std::uint32_t size_ = 0;
  std::vector<std::unique_ptr<Group[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_used_ = kArenaBlock;
  std::size_t arena_bytes_ = 0;
  char* arena_block_ = nullptr;
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
  void drain(const std::vector<TaskEntries>& tasks, std::uint32_t* codes);

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
    std::uint32_t* codes = row_groups != nullptr ? row_groups->codes + start : nullptr;
    const std::size_t first_range = row_groups != nullptr ? row_groups->ranges.size() : 0;
    if (row_groups != nullptr) row_groups->ranges.resize(first_range + kBatchTasks);
    parallel_for(kBatchTasks, [&](std::int64_t task) {
      TaskEntries& entries = tasks[task];
      entries.next_batch();
      const std::int64_t begin = start + batch * task / kBatchTasks;
      const std::int64_t end = start + batch * (task + 1) / kBatchTasks;
      RowGroups::Range* range = nullptr;
      if (row_groups != nullptr) {
        range = &row_groups->ranges[first_range + static_cast<std::size_t>(task)];
        range->batch = start, range->begin = begin, range->end = end;
      }
      source(static_cast<int>(task), begin, end,
             [&](std::int64_t row, std::uint32_t problem, bool null, std::string_view answer) {
               if (answer.size() >= kNullLength) {
                 throw InvalidInput("an answer of row " + std::to_string(row) +
                                    " is longer than 4 GiB");
               }
               entries.add(problem, null ? kNullLength : static_cast<std::uint32_t>(answer.size()),
                           answer, static_cast<std::uint32_t>(row - start), codes, range,
                           [&] { return hash(problem, null, answer); });
             });
    });
    drain(tasks, codes);
    num_rows_ += static_cast<std::uint64_t>(batch);
  }
}

}  // namespace rlvr::answers
