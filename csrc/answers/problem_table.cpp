#include "answers/problem_table.hpp"

#include "common/error.hpp"

namespace rlvr::answers {

ProblemTable::ProblemTable() {
  all_.push_back(std::make_unique<Slots>(10));
  slots_.store(all_.back().get());
}

void ProblemTable::set_kind(Kind kind) {
  if (kind_ == Kind::kUnknown) kind_ = kind;
  if (kind_ != kind) {
    throw InvalidInput("problem ids are integers in one part and strings in another; use one kind");
  }
}

std::uint32_t ProblemTable::add(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  std::uint32_t code;
  std::size_t at = slots_.load()->find(id, code);
  if (code != kNone) return code;
  if ((integers_.size() + 1) * 2 > slots_.load()->slots.size()) {
    auto larger = std::make_unique<Slots>(64 - slots_.load()->shift + 1);
    for (std::size_t i = 0; i < integers_.size(); ++i) {
      at = larger->find(integers_[i], code);
      larger->set(at, integers_[i], static_cast<std::uint32_t>(i));
    }
    at = larger->find(id, code);
    all_.push_back(std::move(larger));
    slots_.store(all_.back().get(), std::memory_order_release);
  }
  code = static_cast<std::uint32_t>(integers_.size());
  integers_.push_back(id);
  slots_.load()->set(at, id, code);
  return code;
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

// Keeps the cache at most half full; a cache at its size limit is cleared.
void ProblemCache::grow() {
  const bool full = entries_.size() >= kMaxEntries;
  entries_.assign(full ? entries_.size() : entries_.empty() ? 1024 : entries_.size() * 4, Entry());
  used_ = 0;
}

std::uint32_t ProblemCache::code(std::string_view id) {
  if (used_ * 2 >= entries_.size()) grow();
  const Hash128 h = hash128(id);
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = (h.hi >> 40) & mask;
  for (; entries_[at].code != kFree; at = (at + 1) & mask) {
    const Entry& entry = entries_[at];
    if (entry.key == h.lo && std::string_view(entry.id, entry.length) == id) return entry.code;
  }
  std::string_view stored;
  const std::uint32_t code = table_.code(id, &stored);
  entries_[at] = {h.lo, stored.data(), static_cast<std::uint32_t>(stored.size()), code};
  ++used_;
  return code;
}

}  // namespace rlvr::answers
