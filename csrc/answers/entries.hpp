// The rows of a batch on their way into the shards: each task sorts its rows by shard.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "answers/arena.hpp"
#include "answers/hash.hpp"
#include "common/huge_pages.hpp"
#include "common/prefetch.hpp"

namespace rlvr::answers {

constexpr int kShardBits = 6;
constexpr int kShards = 1 << kShardBits;
constexpr int kBatchRowBits = 20;                  // a batch has at most this many rows
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;  // the length of no answer

// The bytes of an answer of up to 16 bytes, padded with zeros, as they lie in memory.
struct Words {
  std::uint64_t head = 0, tail = 0;
  bool operator==(const Words&) const = default;

  static Words of(std::string_view bytes) {
    using namespace hash_detail;
    const std::size_t n = bytes.size();
    return {little(load_part(bytes.data(), n)),
            n > 8 ? little(load_part(bytes.data() + 8, n - 8)) : 0};
  }
};

// Compares n > 12 bytes.
inline bool same_bytes(const char* a, const char* b, std::size_t n) {
  if (n > 64) return std::memcmp(a, b, n) == 0;
  std::uint64_t differ = hash_detail::load(a + n - 8) ^ hash_detail::load(b + n - 8);
  for (std::size_t i = 0; i + 8 < n; i += 8) {
    differ |= hash_detail::load(a + i) ^ hash_detail::load(b + i);
  }
  return differ == 0;
}

// Rows of one group, before their shard has counted them.
struct Entry {
  static constexpr std::uint32_t kRowMask = (1U << kBatchRowBits) - 1;
  static constexpr std::uint32_t kMaxRepeats = 0xFFFFFFFF >> kBatchRowBits;

  std::uint64_t hash;
  std::uint32_t problem;
  std::uint32_t length;
  std::uint32_t row_and_repeats;  // the first row, in its batch; above it how many more there are
  char bytes[12];                 // padded with zeros; of a longer answer, a pointer

  std::uint32_t row() const { return row_and_repeats & kRowMask; }
  std::uint32_t repeats() const { return row_and_repeats >> kBatchRowBits; }
  bool outside() const { return length > sizeof bytes && length != kNullLength; }
  Words words() const {
    Words words;
    std::uint32_t tail;
    std::memcpy(&words.head, bytes, 8);
    std::memcpy(&tail, bytes + 8, 4);
    // As it lies in memory: the first of eight bytes.
    words.tail = std::endian::native == std::endian::big ? std::uint64_t{tail} << 32 : tail;
    return words;
  }
  void set_words(const Words& words) {
    std::memcpy(bytes, &words.head, 8);
    std::memcpy(bytes + 8, &words.tail, 4);
  }
  const char* pointer() const {
    const char* pointer;
    std::memcpy(&pointer, bytes, sizeof pointer);
    return pointer;
  }
  void set_pointer(const char* pointer) { std::memcpy(bytes, &pointer, sizeof pointer); }
};
static_assert(sizeof(Entry) == 32);

// The entries of one task. Rows often come clustered by problem, and a problem has few answers. So
// a row that repeats a recent entry is counted in that entry, without the memory traffic of a new
// entry and without a look-up in the shard. Where the first rows of a batch hold few repeats, the
// task looks for no repeats in the rest of the batch.
//
// A shard's entries lie in chunks of one array. Answers that an entry does not hold are copied, so
// that the shard reads them in order and not all over the text; those above kMaxCopied stay there.
class alignas(128) TaskEntries {
 public:
  static constexpr std::uint32_t kChunk = 256;
  static constexpr std::size_t kMaxCopied = 64;

  // rows: the most that the batch may have for this task.
  void next_batch(std::size_t rows) {
    const std::size_t capacity = rows + std::size_t{kShards} * kChunk;
    if (capacity > capacity_) {
      entries_ = large_array<Entry>(capacity);
      capacity_ = capacity;
    }
    for (Bucket& bucket : buckets_) {
      bucket.next = bucket.end = nullptr;
      bucket.chunks.clear();
      bucket.copies.clear();
    }
    shards_.clear();
    recent_.assign(std::size_t{1} << kRecentBits, Recent());
    looking_ = true;
    looked_up_ = 0, num_repeats_ = 0;
  }
  // Returns the place of the row's entry. row counts from the start of the batch. hash() is called
  // only for a row that is no repeat.
  template <typename MakeHash>
  [[gnu::always_inline]] std::uint32_t add(std::uint32_t problem, std::uint32_t length,
                                           std::string_view answer, std::uint32_t row,
                                           const MakeHash& hash) {
    const bool outside = answer.size() > sizeof Entry::bytes;
    const Words words = outside ? ends(answer) : Words::of(answer);
    Recent* recent = nullptr;
    std::uint32_t tag = 0;
    if (looking_) {
      const std::uint64_t key = short_key(problem, length, words);
      tag = static_cast<std::uint32_t>(key >> 16) | 1;
      recent = &recent_[key >> (64 - kRecentBits)];
      if (looked_up_++ == kTrial) looking_ = num_repeats_ >= kTrial / 4;
      if (recent->tag == tag) {
        Entry& entry = entries_[recent->place];
        if (entry.repeats() < Entry::kMaxRepeats && entry.problem == problem &&
            entry.length == length &&
            (outside ? same_bytes(entry.pointer(), answer.data(), length)
                     : entry.words() == words)) {
          entry.row_and_repeats += 1U << kBatchRowBits;
          ++num_repeats_;
          return recent->place;
        }
      }
    }
    const Hash128 h = hash();
    const auto shard = static_cast<std::uint32_t>(h.hi >> (64 - kShardBits));
    Bucket& bucket = buckets_[shard];
    if (bucket.next == bucket.end) next_chunk(shard);
    Entry& entry = *bucket.next++;
    // The bucket's next entry is many rows away: without this its store waits for the cache line.
    prefetch_write(&entry, 4 * sizeof entry);
    const auto place = static_cast<std::uint32_t>(&entry - entries_.get());
    if (recent != nullptr) *recent = {tag, place};
    entry.hash = h.lo;
    entry.problem = problem;
    entry.length = length;
    entry.row_and_repeats = row;
    if (outside) {
      entry.set_pointer(bucket.keep(answer));
    } else {
      entry.set_words(words);
    }
    return place;
  }
  // Calls visit(place of the first, entries) for the chunks of a shard, in the order of the rows.
  template <typename Visit>
  void for_chunks(int shard, const Visit& visit) const {
    const Bucket& bucket = buckets_[shard];
    for (const std::uint32_t chunk : bucket.chunks) {
      const Entry* begin = &entries_[chunk * kChunk];
      const Entry* end = chunk == bucket.chunks.back() ? bucket.next : begin + kChunk;
      visit(chunk * kChunk, std::span(begin, end));
    }
  }
  // The shard of each chunk.
  const std::vector<std::uint8_t>& shards() const { return shards_; }

 private:
  struct Bucket {
    Entry *next = nullptr, *end = nullptr;  // in the last of its chunks
    std::vector<std::uint32_t> chunks;
    Arena copies{16 << 10};

    const char* keep(std::string_view answer) {
      if (answer.size() > kMaxCopied) return answer.data();
      const char* copy = copies.store(answer).data();
      prefetch_write(copy, 2 * kMaxCopied);
      return copy;
    }
  };
  static constexpr int kRecentBits = 12;
  static constexpr std::uint32_t kTrial = 8192;
  struct Recent {
    std::uint32_t tag = 0;  // 0: none
    std::uint32_t place = 0;
  };
  static_assert(kShards <= 256);

  void next_chunk(std::uint32_t shard) {
    const auto chunk = static_cast<std::uint32_t>(shards_.size());
    shards_.push_back(static_cast<std::uint8_t>(shard));
    Bucket& bucket = buckets_[shard];
    bucket.chunks.push_back(chunk);
    bucket.next = &entries_[chunk * kChunk];
    bucket.end = bucket.next + kChunk;
  }
  // The two ends of a longer answer.
  static Words ends(std::string_view answer) {
    return {hash_detail::load(answer.data()), hash_detail::load(answer.data() + answer.size() - 8)};
  }
  // Cheaper than the hash, and sufficient to find recent entries.
  static std::uint64_t short_key(std::uint32_t problem, std::uint32_t length, const Words& words) {
    const std::uint64_t head =
        words.head ^ (std::uint64_t{problem} << 32 | length) * hash_detail::kK1;
    return (head ^ std::rotl(words.tail * hash_detail::kK2, 32)) * hash_detail::kK0;
  }

  LargeArray<Entry> entries_;
  std::size_t capacity_ = 0;
  std::vector<std::uint8_t> shards_;
  std::array<Bucket, kShards> buckets_;
  std::vector<Recent> recent_;
  bool looking_ = true;
  std::uint32_t looked_up_ = 0, num_repeats_ = 0;
};

}  // namespace rlvr::answers
