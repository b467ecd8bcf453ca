#include "answers/shard.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/error.hpp"

namespace rlvr::answers {

void Shard::reserve(std::size_t groups) {
  if ((size_ + groups) * 5 <= slots_.size() * 4) return;
  const std::size_t size = slots_.empty() ? 64 : slots_.size() * 2;
  std::vector<std::uint32_t> slots(size);
  for (std::uint32_t i = 0; i < size_; ++i) {
    std::size_t slot = at(i).hash & (size - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (size - 1);
    slots[slot] = tag(at(i).hash) | (i + 1);
  }
  slots_.swap(slots);
}

std::uint32_t Shard::add(std::size_t slot, const Key& key, std::uint64_t count,
                         std::uint64_t first_row) {
  const std::size_t mask = slots_.size() - 1;
  for (slot = seek(slot, key.hash); slots_[slot] != 0; slot = seek((slot + 1) & mask, key.hash)) {
    Group& group = of_slot(slots_[slot]);
    if (!key.names(group)) continue;
    group.count += count;
    group.first_row = std::min(group.first_row, first_row);
    return (slots_[slot] & kGroupMask) - 1;
  }
  if (size_ >= 1U << 26) throw InvalidInput("more than 4 billion distinct answers in one index");
  if (size_ % kBlock == 0) blocks_.push_back(std::make_unique_for_overwrite<Group[]>(kBlock));
  Group& group = at(size_);
  group.hash = key.hash;
  group.count = count;
  group.first_row = first_row;
  group.problem = key.problem;
  group.length = key.length;
  std::memcpy(group.bytes, &key.words, sizeof group.bytes);
  if (key.outside()) group.pointer = answers_.store({key.data, key.length}).data();
  slots_[slot] = tag(key.hash) | ++size_;
  return size_ - 1;
}

std::uint32_t Shard::add(std::uint64_t hash, std::uint32_t problem, bool null,
                         std::string_view answer, std::uint64_t count, std::uint64_t first_row) {
  reserve(1);
  Key key{hash, problem, null ? kNullLength : static_cast<std::uint32_t>(answer.size()),
          answer.data(), Words()};
  if (!key.outside()) key.words = Words::of(answer);
  return add(hash & (slots_.size() - 1), key, count, first_row);
}

// Some entries at a time, in three steps, so that the memory that one entry needs is loaded while
// others are looked at: the slots, the groups that they name, the bytes of their long answers.
void Shard::add(std::span<const Entry> all, std::uint64_t first_row, std::uint32_t* groups) {
  constexpr std::size_t kTogether = 32;
  std::array<std::size_t, kTogether> slots;
  for (std::size_t begin = 0; begin < all.size(); begin += kTogether) {
    const std::size_t n = std::min(kTogether, all.size() - begin);
    const Entry* entries = &all[begin];
    reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      slots[i] = entries[i].hash & (slots_.size() - 1);
      prefetch_read(&slots_[slots[i]]);
      prefetch_read(&entries[i], 2 * kTogether * sizeof(Entry));
    }
    bool outside = false;
    for (std::size_t i = 0; i < n; ++i) {
      slots[i] = seek(slots[i], entries[i].hash);
      if (slots_[slots[i]] == 0) continue;
      of_slot(slots_[slots[i]]).prefetch();
      outside = outside || entries[i].outside();
    }
    for (std::size_t i = 0; outside && i < n; ++i) {
      if (slots_[slots[i]] != 0) of_slot(slots_[slots[i]]).prefetch_answer();
    }
    for (std::size_t i = 0; i < n; ++i) {
      const Entry& entry = entries[i];
      Key key{entry.hash, entry.problem, entry.length, nullptr, entry.words()};
      if (entry.outside()) {
        key.data = entry.pointer();
        key.words = key.outside() ? Words() : Words::of({key.data, key.length});
      }
      const std::uint32_t group = add(slots[i], key, 1 + entry.repeats(), first_row + entry.row());
      if (groups != nullptr) groups[begin + i] = group;
    }
  }
}

std::size_t Shard::memory() const {
  return slots_.capacity() * sizeof(std::uint32_t) + blocks_.size() * kBlock * sizeof(Group) +
         answers_.memory() + blocks_.capacity() * sizeof(void*);
}

}  // namespace rlvr::answers
