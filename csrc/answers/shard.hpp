// The groups whose hashes begin with the same bits. A shard belongs to one task at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "answers/arena.hpp"
#include "answers/entries.hpp"
#include "common/prefetch.hpp"

namespace rlvr::answers {

struct Group {
  std::uint64_t hash;
  std::uint64_t count;
  std::uint64_t first_row;
  std::uint32_t problem;
  std::uint32_t length;
  union {
    char bytes[16];  // padded with zeros
    const char* pointer;
  };

  bool null() const { return length == kNullLength; }
  bool outside() const { return length > sizeof bytes && !null(); }
  std::string_view answer() const {
    if (null()) return {};
    return {length <= sizeof bytes ? bytes : pointer, length};
  }
  // Both ends: either may lie in a cache line of its own.
  void prefetch() const {
    prefetch_read(this);
    prefetch_read(bytes);
  }
  void prefetch_answer() const {
    if (!outside()) return;
    prefetch_read(pointer);
    prefetch_read(pointer, length - 1);
  }
};
static_assert(sizeof(Group) == 48);

class Shard {
 public:
  // The number of the group in this shard.
  std::uint32_t add(std::uint64_t hash, std::uint32_t problem, bool null, std::string_view answer,
                    std::uint64_t count, std::uint64_t first_row);
  // Adds entries, whose rows count from first_row on. groups, where not null, receives the number
  // of the group of each entry.
  void add(std::span<const Entry> entries, std::uint64_t first_row, std::uint32_t* groups);
  std::uint32_t size() const { return size_; }
  const Group& operator[](std::uint32_t i) const { return blocks_[i / kBlock][i % kBlock]; }
  std::size_t memory() const;

 private:
  // What a group is found by. words: of an answer that is not longer than they are.
  struct Key {
    std::uint64_t hash;
    std::uint32_t problem, length;
    const char* data;
    Words words;

    bool outside() const { return length > sizeof words && length != kNullLength; }
    bool names(const Group& group) const {
      if (group.hash != hash || group.problem != problem || group.length != length) return false;
      if (outside()) return same_bytes(group.pointer, data, length);
      Words stored;
      std::memcpy(&stored, group.bytes, sizeof stored);
      return stored == words;
    }
  };
  static constexpr std::uint32_t kBlock = 256;
  // The lower 27 bits are group + 1, or 0; the upper 5 are bits of the hash, which avoid most reads
  // of groups with other hashes.
  static constexpr std::uint32_t kGroupMask = (1U << 27) - 1;
  static std::uint32_t tag(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32) & ~kGroupMask;
  }
  Group& at(std::uint32_t i) { return blocks_[i / kBlock][i % kBlock]; }
  Group& of_slot(std::uint32_t slot) { return at((slot & kGroupMask) - 1); }
  // Makes room for some groups more.
  void reserve(std::size_t groups);
  // The first slot from `slot` on that is free or has the hash's tag.
  std::size_t seek(std::size_t slot, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    while (slots_[slot] != 0 && (slots_[slot] & ~kGroupMask) != tag(hash)) slot = (slot + 1) & mask;
    return slot;
  }
  // slot: where to begin to look; the slots before it, from the hash's own on, are of other groups.
  std::uint32_t add(std::size_t slot, const Key& key, std::uint64_t count, std::uint64_t first_row);

  std::vector<std::uint32_t> slots_;
  std::uint32_t size_ = 0;
  std::vector<std::unique_ptr<Group[]>> blocks_;
  Arena answers_{16 << 10};
};

}  // namespace rlvr::answers
