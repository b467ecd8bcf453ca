// Columns of strings, integers and integer lists, read in place from Arrow memory. A column owns
// the arrays that it was given and releases them. The values are not copied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "answers/arrow_abi.hpp"

namespace rlvr::answers {

// Owns one imported ArrowArray (the C data interface moves structs by copy and clears the source).
class OwnedArray {
 public:
  explicit OwnedArray(ArrowArray* source);
  ~OwnedArray();
  OwnedArray(const OwnedArray&) = delete;
  OwnedArray& operator=(const OwnedArray&) = delete;
  const ArrowArray& get() const { return array_; }

 private:
  ArrowArray array_;
};

struct Row {
  std::string_view text;
  bool null = false;
};

enum class ColumnKind { kString, kInteger, kList };

// One contiguous piece of a column, with random access. No other class switches on the Arrow type.
class Chunk {
 public:
  // Throws InvalidInput, which names the Arrow type, for any type but the supported ones.
  Chunk(const ArrowSchema& schema, std::shared_ptr<OwnedArray> owner, const ArrowArray& array);

  std::int64_t size() const { return length_; }
  ColumnKind kind() const { return kind_; }
  bool is_null(std::int64_t i) const {
    const std::int64_t at = offset_ + i;
    if (all_null_) return true;
    if (validity_ != nullptr && !((validity_[at >> 3] >> (at & 7)) & 1)) return true;
    return layout_ == Layout::kDictionary && dictionary_null(at);
  }
  Row string_at(std::int64_t i) const {
    if (is_null(i)) return {{}, true};
    if (layout_ == Layout::kOffsets64) {
      const auto* offsets = static_cast<const std::int64_t*>(values_) + offset_ + i;
      return {{data_ + offsets[0], static_cast<std::size_t>(offsets[1] - offsets[0])}, false};
    }
    if (layout_ == Layout::kOffsets32) {
      const auto* offsets = static_cast<const std::int32_t*>(values_) + offset_ + i;
      return {{data_ + offsets[0], static_cast<std::size_t>(offsets[1] - offsets[0])}, false};
    }
    return {raw_string_at(i), false};
  }
  // Writes string_at(i) for i of [begin, end) to out, deciding on the layout once.
  void strings(std::int64_t begin, std::int64_t end, Row* out) const;
  // The integers from i on where the memory holds them side by side as int64 without nulls; else
  // null.
  const std::int64_t* plain_integers(std::int64_t i) const {
    const bool plain = integer_ == 'l' && layout_ != Layout::kDictionary && validity_ == nullptr;
    return plain && !all_null_ ? static_cast<const std::int64_t*>(values_) + offset_ + i : nullptr;
  }
  // Callers check is_null first.
  std::int64_t integer_at(std::int64_t i) const {
    if (integer_ == 'l' && layout_ != Layout::kDictionary) {
      return static_cast<const std::int64_t*>(values_)[offset_ + i];
    }
    return any_integer_at(i);
  }
  // Appends the integers of list i to out.
  void list_at(std::int64_t i, std::vector<std::int64_t>& out) const;
  std::int64_t list_size(std::int64_t i) const;

 private:
  enum class Layout { kOffsets32, kOffsets64, kView, kDictionary };
  std::string_view raw_string_at(std::int64_t i) const;
  std::string_view view_at(std::int64_t at) const;
  std::int64_t any_integer_at(std::int64_t i) const;
  bool dictionary_null(std::int64_t at) const;

  std::shared_ptr<OwnedArray> owner_;
  ColumnKind kind_ = ColumnKind::kString;
  Layout layout_ = Layout::kOffsets32;
  std::int64_t length_ = 0;
  std::int64_t offset_ = 0;
  const std::uint8_t* validity_ = nullptr;
  const void* values_ = nullptr;  // offsets, views or integers
  const char* data_ = nullptr;
  const void* const* variadic_ = nullptr;
  bool all_null_ = false;
  char integer_ = 0;          // Arrow format letter of integers and of dictionary indices
  std::vector<Chunk> inner_;  // the dictionary, or the values of lists
};

class Column {
 public:
  void append(Chunk chunk);
  std::int64_t size() const { return starts_.empty() ? 0 : starts_.back() + chunks_.back().size(); }
  ColumnKind kind() const { return chunks_.empty() ? ColumnKind::kString : chunks_[0].kind(); }
  bool empty() const { return chunks_.empty(); }

  // Calls visit(row, chunk, index in chunk) for rows of [begin, end), in order.
  template <typename Visit>
  void for_rows(std::int64_t begin, std::int64_t end, Visit&& visit) const {
    for_chunks(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i, auto stop) {
      for (; i < stop; ++i, ++row) visit(row, chunk, i);
    });
  }
  // Calls visit(first row, chunk, begin in chunk, end in chunk) for the chunks of [begin, end).
  template <typename Visit>
  void for_chunks(std::int64_t begin, std::int64_t end, Visit&& visit) const {
    if (begin >= end) return;
    for (std::size_t c = chunk_of(begin); c < chunks_.size() && begin < end; ++c) {
      const std::int64_t stop = std::min(end, starts_[c] + chunks_[c].size());
      if (begin < stop) visit(begin, chunks_[c], begin - starts_[c], stop - starts_[c]);
      begin = std::max(begin, stop);
    }
  }
  Row string_at(std::int64_t row) const {
    const std::size_t c = chunk_of(row);
    return chunks_[c].string_at(row - starts_[c]);
  }
  const Chunk& chunk_at(std::int64_t row, std::int64_t& index) const {
    const std::size_t c = chunk_of(row);
    index = row - starts_[c];
    return chunks_[c];
  }

 private:
  std::size_t chunk_of(std::int64_t row) const;
  std::vector<Chunk> chunks_;
  std::vector<std::int64_t> starts_;
};

// Takes over what the stream or array holds. Throws InvalidInput.
Column import_stream(ArrowArrayStream* stream);
Column import_array(ArrowSchema* schema, ArrowArray* array);

}  // namespace rlvr::answers
