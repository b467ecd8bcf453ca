// Problem ids as small numbers, given out in the order in which ids arrive.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "answers/hash.hpp"
#include "common/prefetch.hpp"

namespace rlvr::answers {

// A code is used inside an index only: it depends on which thread is the first to see an id.
class ProblemTable {
 public:
  enum class Kind : std::uint32_t { kUnknown, kInteger, kString };

  ProblemTable();
  // Throws InvalidInput where integers and strings are mixed.
  void set_kind(Kind kind);
  Kind kind() const { return kind_; }
  // Any thread may ask. An integer that is in the table is found without a lock.
  std::uint32_t code(std::int64_t id) {
    const std::uint32_t code = find(id);
    return code != kNone ? code : add(id);
  }
  // stored, where not null, receives a view of the id; the view is valid as long as the table.
  std::uint32_t code(std::string_view id, std::string_view* stored = nullptr);
  std::size_t size() const { return kind_ == Kind::kInteger ? integers_.size() : strings_.size(); }
  std::int64_t integer(std::uint32_t code) const { return integers_[code]; }
  std::string_view string(std::uint32_t code) const { return strings_[code]; }

  // For some rows before code(id).
  void prefetch(std::int64_t id) const {
    const Slots& slots = *slots_.load(std::memory_order_acquire);
    prefetch_read(&slots.slots[slots.place(id)]);
  }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  // The id is written before the code, and a code is never changed: a reader that sees a code may
  // read the id.
  struct Slot {
    std::atomic<std::int64_t> id{0};
    std::atomic<std::uint32_t> code{kNone};
  };
  struct Slots {
    explicit Slots(int bits) : shift(64 - bits), mask((1U << bits) - 1), slots(mask + 1) {}
    std::size_t place(std::int64_t id) const {
      const auto key = static_cast<std::uint64_t>(id);
      return ((key ^ key >> 32) * hash_detail::kK0) >> shift;
    }
    // The slot of an id, or the free slot where the id belongs.
    std::size_t find(std::int64_t id, std::uint32_t& code) const {
      std::size_t at = place(id);
      for (;; at = (at + 1) & mask) {
        code = slots[at].code.load(std::memory_order_acquire);
        if (code == kNone || slots[at].id.load(std::memory_order_relaxed) == id) return at;
      }
    }
    void set(std::size_t at, std::int64_t id, std::uint32_t code) {
      slots[at].id.store(id, std::memory_order_relaxed);
      slots[at].code.store(code, std::memory_order_release);
    }
    int shift;
    std::size_t mask;
    std::vector<Slot> slots;
  };
  std::uint32_t find(std::int64_t id) const {
    std::uint32_t code;
    slots_.load(std::memory_order_acquire)->find(id, code);
    return code;
  }
  std::uint32_t add(std::int64_t id);

  Kind kind_ = Kind::kUnknown;
  std::mutex mutex_;
  std::vector<std::int64_t> integers_;
  std::atomic<Slots*> slots_;                // the last of all
  std::vector<std::unique_ptr<Slots>> all_;  // readers may still be in the others
  std::deque<std::string> strings_;          // a deque, so that views of its strings stay valid
  std::unordered_map<std::string_view, std::uint32_t> string_codes_;
};

// One task's cache of the table: the last integer, and strings, which then need no lock.
class ProblemCache {
 public:
  explicit ProblemCache(ProblemTable& table) : table_(table) {}
  std::uint32_t code(std::int64_t id) {
    if (last_code_ == kFree || id != last_id_) {
      last_code_ = table_.code(id);
      last_id_ = id;
    }
    return last_code_;
  }
  std::uint32_t code(std::string_view id);

 private:
  static constexpr std::size_t kMaxEntries = 1 << 18;
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  struct Entry {
    std::uint64_t key = 0;
    const char* id = nullptr;  // its address in the table
    std::uint32_t length = 0;
    std::uint32_t code = kFree;
  };
  void grow();

  ProblemTable& table_;
  std::vector<Entry> entries_;
  std::size_t used_ = 0;
  std::int64_t last_id_ = 0;
  std::uint32_t last_code_ = kFree;
};

}  // namespace rlvr::answers
