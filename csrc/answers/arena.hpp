// Bytes that stay in place until they are all dropped at once.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace rlvr::answers {

class Arena {
 public:
  explicit Arena(std::size_t block) : block_(block) {}

  // The view is valid until clear().
  std::string_view store(std::string_view bytes) {
    char* at;
    if (bytes.size() > block_ / 4) {
      large_.push_back(std::make_unique_for_overwrite<char[]>(bytes.size()));
      large_bytes_ += bytes.size();
      at = large_.back().get();
    } else {
      if (used_ + bytes.size() > block_ || blocks_.empty()) next_block();
      at = blocks_[current_].get() + used_;
      used_ += bytes.size();
    }
    std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }
  // Keeps the blocks for what follows.
  void clear() {
    large_.clear();
    large_bytes_ = 0;
    current_ = 0, used_ = 0;
  }
  std::size_t memory() const {
    return blocks_.size() * block_ + large_bytes_ +
           (blocks_.capacity() + large_.capacity()) * sizeof(void*);
  }

 private:
  void next_block() {
    if (!blocks_.empty()) ++current_;
    if (current_ == blocks_.size()) {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_));
    }
    used_ = 0;
  }

  std::size_t block_;
  std::vector<std::unique_ptr<char[]>> blocks_, large_;
  std::size_t current_ = 0, used_ = 0, large_bytes_ = 0;
};

}  // namespace rlvr::answers
