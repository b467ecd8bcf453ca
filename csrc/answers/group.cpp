#include "answers/group.hpp"

#include <algorithm>
#include <bit>

namespace rlvr::answers {

void ProblemTable::set_kind(Kind kind) {
  if (kind_ == Kind::kUnknown) kind_ = kind;
  if (kind_ != kind) {
    throw InvalidInput("problem ids are integers in one part and strings in another; use one kind");
  }
}

std::uint32_t ProblemTable::code(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto [at, added] =
      integer_codes_.try_emplace(id, static_cast<std::uint32_t>(integers_.size()));
  if (added) integers_.push_back(id);
  return at->second;
}

std::uint32_t ProblemTable::code(std::string_view id, std::string_view* stored) {
  const std::lock_guard lock(mutex_);
  auto at = string_codes_.find(id);
  if (at == string_codes_.end()) {
    strings_.emplace_back(id);
    at = string_codes_.emplace(strings_.back(), static_cast<std::uint32_t>(strings_.size() - 1))
             .first;
  }
  if (stored != nullptr) *stored = at->first;
  return at->second;
}

template <typename Same>
ProblemCache::Entry& ProblemCache::find(std::uint64_t key, std::uint64_t spread, const Same& same) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = place(spread);
  while (entries_[at].code != kFree && !(entries_[at].key == key && same(entries_[at]))) {
    at = (at + 1) & mask;
  }
  return entries_[at];
}

// Keeps the cache at most half full; a cache at its size limit is cleared.
void ProblemCache::added() {
  if (++used_ * 2 <= entries_.size()) return;
  const bool full = entries_.size() >= kMaxEntries;
  entries_.assign(full ? entries_.size() : entries_.size() * 4, Entry());
  used_ = 0;
}

std::uint32_t ProblemCache::look_up(std::int64_t id) {
  const auto key = static_cast<std::uint64_t>(id);
  if (key < kMaxDense) {
    if (key >= dense_.size()) dense_.resize(std::bit_ceil(key + 1), kFree);
    if (dense_[key] == kFree) dense_[key] = table_.code(id);
    return dense_[key];
  }
  Entry& entry = find(key, key * hash_detail::kK0, [](const Entry&) { return true; });
  std::uint32_t code = entry.code;
  if (code == kFree) {
    code = table_.code(id);
    entry = {key, nullptr, 0, code};
    added();
  }
  return code;
}

std::uint32_t ProblemCache::code(std::string_view id) {
  const Hash128 h = hash128(id);
  Entry& entry =
      find(h.lo, h.hi, [&](const Entry& e) { return std::string_view(e.id, e.length) == id; });
  if (entry.code != kFree) return entry.code;
  std::string_view stored;
  const std::uint32_t code = table_.code(id, &stored);
  entry = {h.lo, stored.data(), static_cast<std::uint32_t>(stored.size()), code};
  added();
  return code;
}

void Bucket::grow() {
  const std::size_t capacity = capacity_ == 0 ? 1024 : capacity_ * 2;
  auto entries = std::make_unique_for_overwrite<Entry[]>(capacity);
  std::copy_n(entries_.get(), size_, entries.get());
  entries_ = std::move(entries);
  capacity_ = capacity;
}

void TaskEntries::next_batch() {
  for (Bucket& bucket : buckets_) bucket.clear();
  recent_.assign(std::size_t{1} << kRecentBits, Recent());
  looking_ = true;
  looked_up_ = 0, num_repeats_ = 0;
}

const char* Shard::store(std::string_view answer) {
  if (answer.size() > kArenaBlock / 4) {
    arena_.push_back(std::make_unique_for_overwrite<char[]>(answer.size()));
    arena_bytes_ += answer.size();
    std::memcpy(arena_.back().get(), answer.data(), answer.size());
    return arena_.back().get();
  }
  if (arena_used_ + answer.size() > kArenaBlock) {
    arena_.push_back(std::make_unique_for_overwrite<char[]>(kArenaBlock));
    arena_bytes_ += kArenaBlock;
    arena_block_ = arena_.back().get();
    arena_used_ = 0;
  }
  char* at = arena_block_ + arena_used_;
  std::memcpy(at, answer.data(), answer.size());
  arena_used_ += answer.size();
  return at;
}

void Shard::grow() {
  const std::size_t size = slots_.empty() ? 64 : slots_.size() * 2;
  std::vector<std::uint32_t> slots(size);
  for (std::uint32_t i = 0; i < size_; ++i) {
    std::size_t slot = at(i).hash & (size - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (size - 1);
    slots[slot] = tag(at(i).hash) | (i + 1);
  }
  slots_.swap(slots);
}

namespace {

// Compares with a group whose answer has the same length. Short answers are compared as words.
bool same_bytes(const Group& group, std::string_view answer) {
  const std::size_t n = answer.size();
  if (n > 16) return std::memcmp(group.pointer, answer.data(), n) == 0;
  std::uint64_t head, tail;
  std::memcpy(&head, group.bytes, 8);
  std::memcpy(&tail, group.bytes + 8, 8);
  head = hash_detail::little(head), tail = hash_detail::little(tail);
  return head == hash_detail::load_part(answer.data(), n) &&
         tail == (n > 8 ? hash_detail::load_part(answer.data() + 8, n - 8) : 0);
}

}  // namespace

std::uint32_t Shard::add(std::uint64_t hash, std::uint32_t problem, std::uint32_t length,
                         std::string_view answer, std::uint64_t count, std::uint64_t first_row) {
  if ((size_ + 1) * 5ULL > slots_.size() * 4ULL) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  const std::uint32_t wanted = tag(hash);
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if ((slots_[slot] & ~kGroupMask) != wanted) continue;
    const std::uint32_t number = (slots_[slot] & kGroupMask) - 1;
    Group& group = at(number);
    if (group.hash == hash && group.problem == problem && group.length == length &&
        same_bytes(group, answer)) {
      group.count += count;
      group.first_row = std::min(group.first_row, first_row);
      return number;
    }
  }
  if (size_ >= 1U << 26) throw InvalidInput("more than 4 billion distinct answers in one index");
  if (size_ % kBlock == 0) blocks_.push_back(std::make_unique_for_overwrite<Group[]>(kBlock));
  Group& group = at(size_);
  group.hash = hash;
  group.count = count;
  group.first_row = first_row;
  group.problem = problem;
  group.length = length;
  std::memset(group.bytes, 0, sizeof group.bytes);
  if (answer.size() <= sizeof group.bytes) {
    if (!answer.empty()) std::memcpy(group.bytes, answer.data(), answer.size());
  } else {
    group.pointer = store(answer);
  }
  slots_[slot] = wanted | ++size_;
  return size_ - 1;
}

std::size_t Shard::memory() const {
  return slots_.capacity() * sizeof(std::uint32_t) + blocks_.size() * kBlock * sizeof(Group) +
         arena_bytes_ + (blocks_.capacity() + arena_.capacity()) * sizeof(void*);
}

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

void GroupIndex::drain(const std::vector<TaskEntries>& tasks, std::uint32_t* codes) {
  parallel_for(kShards, [&](std::int64_t s) {
    Shard& shard = shards_[s];
    for (const TaskEntries& task : tasks) {
      const Bucket& bucket = task.bucket(static_cast<int>(s));
      bool outside = false;  // some answers are long
      for (std::size_t i = 0; i < bucket.size(); ++i) {
        if (i + 16 < bucket.size()) shard.prefetch_slot(bucket[i + 16].hash);
        if (i + 8 < bucket.size()) shard.prefetch_group(bucket[i + 8].hash);
        if (outside && i + 12 < bucket.size()) {
          if (bucket[i + 4].outside()) shard.prefetch_answer(bucket[i + 4].hash);
          if (bucket[i + 12].outside()) __builtin_prefetch(bucket[i + 12].answer().data());
        }
        const Entry& entry = bucket[i];
        outside = outside || entry.outside();
        const std::uint32_t group =
            shard.add(entry.hash, entry.problem, entry.length, entry.answer(), 1 + entry.repeats,
                      num_rows_ + entry.row);
        if (codes != nullptr) {
          codes[entry.row] = static_cast<std::uint32_t>(s) << 26 | group;
        }
      }
    }
  });
}

void GroupIndex::add_group(std::uint32_t problem, bool null, std::string_view answer,
                           std::uint64_t count, std::uint64_t first_row) {
  const Hash128 h = hash(problem, null, answer);
  shards_[shard_of(h)].add(h.lo, problem,
                           null ? kNullLength : static_cast<std::uint32_t>(answer.size()), answer,
                           count, first_row);
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
