#include "answers/columns.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/error.hpp"

namespace rlvr::answers {

OwnedArray::OwnedArray(ArrowArray* source) : array_(*source) { source->release = nullptr; }

OwnedArray::~OwnedArray() {
  if (array_.release != nullptr) array_.release(&array_);
}

namespace {

bool is_integer_format(std::string_view format) {
  return format.size() == 1 &&
         std::string_view("cCsSiIlL").find(format[0]) != std::string_view::npos;
}

std::int64_t read_integer(char format, const void* values, std::int64_t at) {
  switch (format) {
    case 'c':
      return static_cast<const std::int8_t*>(values)[at];
    case 'C':
      return static_cast<const std::uint8_t*>(values)[at];
    case 's':
      return static_cast<const std::int16_t*>(values)[at];
    case 'S':
      return static_cast<const std::uint16_t*>(values)[at];
    case 'i':
      return static_cast<const std::int32_t*>(values)[at];
    case 'I':
      return static_cast<const std::uint32_t*>(values)[at];
    case 'l':
      return static_cast<const std::int64_t*>(values)[at];
    default: {
      const std::uint64_t value = static_cast<const std::uint64_t*>(values)[at];
      if (value > static_cast<std::uint64_t>(INT64_MAX)) {
        throw InvalidInput("an unsigned integer above 2^63 - 1 is not supported (row " +
                           std::to_string(at) + " of its chunk)");
      }
      return static_cast<std::int64_t>(value);
    }
  }
}

}  // namespace

Chunk::Chunk(const ArrowSchema& schema, std::shared_ptr<OwnedArray> owner, const ArrowArray& array)
    : owner_(std::move(owner)), length_(array.length), offset_(array.offset) {
  const std::string_view format = schema.format;
  if (array.n_buffers > 0 && array.null_count != 0) {
    validity_ = static_cast<const std::uint8_t*>(array.buffers[0]);
  }
  if (schema.dictionary != nullptr) {
    if (!is_integer_format(format)) throw InvalidInput("dictionary indices must be integers");
    inner_.emplace_back(*schema.dictionary, owner_, *array.dictionary);
    kind_ = inner_[0].kind();
    if (kind_ == ColumnKind::kList) throw InvalidInput("a dictionary of lists is not supported");
    layout_ = Layout::kDictionary;
    integer_ = format[0];
    values_ = array.buffers[1];
    return;
  }
  if (format == "u" || format == "z" || format == "U" || format == "Z") {
    layout_ = (format == "u" || format == "z") ? Layout::kOffsets32 : Layout::kOffsets64;
    values_ = array.buffers[1];
    data_ = static_cast<const char*>(array.buffers[2]);
  } else if (format == "vu" || format == "vz") {
    layout_ = Layout::kView;
    values_ = array.buffers[1];
    variadic_ = array.buffers + 2;
  } else if (is_integer_format(format)) {
    kind_ = ColumnKind::kInteger;
    integer_ = format[0];
    values_ = array.buffers[1];
  } else if (format == "+l" || format == "+L") {
    kind_ = ColumnKind::kList;
    layout_ = format == "+l" ? Layout::kOffsets32 : Layout::kOffsets64;
    values_ = array.buffers[1];
    inner_.emplace_back(*schema.children[0], owner_, *array.children[0]);
    if (inner_[0].kind() != ColumnKind::kInteger) {
      throw InvalidInput("lists must hold integers (token ids)");
    }
  } else if (format == "n") {  // the null type: an all-null column, as pyarrow infers from [None]
    all_null_ = true;
  } else {
    throw InvalidInput(
        "expected an Arrow column of strings, integers or lists of integers; got Arrow format '" +
        std::string(format) + "'");
  }
}

void Chunk::strings(std::int64_t begin, std::int64_t end, Row* out) const {
  const auto by_offsets = [&](const auto* offsets) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto length = static_cast<std::size_t>(offsets[i + 1] - offsets[i]);
      *out++ = {{data_ + offsets[i], length}, false};
    }
  };
  const bool plain = validity_ == nullptr && !all_null_;
  if (plain && layout_ == Layout::kOffsets32) {
    by_offsets(static_cast<const std::int32_t*>(values_) + offset_);
  } else if (plain && layout_ == Layout::kOffsets64) {
    by_offsets(static_cast<const std::int64_t*>(values_) + offset_);
  } else if (plain && layout_ == Layout::kView) {
    for (std::int64_t i = begin; i < end; ++i) *out++ = {view_at(offset_ + i), false};
  } else {
    for (std::int64_t i = begin; i < end; ++i) *out++ = string_at(i);
  }
}

std::string_view Chunk::view_at(std::int64_t at) const {
  // 16 bytes: length, then the bytes themselves (up to 12) or a prefix, buffer index and offset.
  const char* view = static_cast<const char*>(values_) + 16 * at;
  std::int32_t head[4];
  std::memcpy(head, view, sizeof head);
  if (head[0] <= 12) return {view + 4, static_cast<std::size_t>(head[0])};
  return {static_cast<const char*>(variadic_[head[2]]) + head[3],
          static_cast<std::size_t>(head[0])};
}

std::string_view Chunk::raw_string_at(std::int64_t i) const {
  const std::int64_t at = offset_ + i;
  switch (layout_) {
    case Layout::kOffsets32: {
      const auto* offsets = static_cast<const std::int32_t*>(values_);
      return {data_ + offsets[at], static_cast<std::size_t>(offsets[at + 1] - offsets[at])};
    }
    case Layout::kOffsets64: {
      const auto* offsets = static_cast<const std::int64_t*>(values_);
      return {data_ + offsets[at], static_cast<std::size_t>(offsets[at + 1] - offsets[at])};
    }
    case Layout::kView:
      return view_at(at);
    case Layout::kDictionary:
      break;
  }
  return inner_[0].raw_string_at(read_integer(integer_, values_, at));
}

std::int64_t Chunk::any_integer_at(std::int64_t i) const {
  const std::int64_t value = read_integer(integer_, values_, offset_ + i);
  return layout_ == Layout::kDictionary ? inner_[0].integer_at(value) : value;
}

bool Chunk::dictionary_null(std::int64_t at) const {
  return inner_[0].is_null(read_integer(integer_, values_, at));
}

std::int64_t Chunk::list_size(std::int64_t i) const {
  const std::int64_t at = offset_ + i;
  if (layout_ == Layout::kOffsets32) {
    const auto* offsets = static_cast<const std::int32_t*>(values_);
    return offsets[at + 1] - offsets[at];
  }
  const auto* offsets = static_cast<const std::int64_t*>(values_);
  return offsets[at + 1] - offsets[at];
}

void Chunk::list_at(std::int64_t i, std::vector<std::int64_t>& out) const {
  const std::int64_t at = offset_ + i;
  std::int64_t begin, end;
  if (layout_ == Layout::kOffsets32) {
    const auto* offsets = static_cast<const std::int32_t*>(values_);
    begin = offsets[at], end = offsets[at + 1];
  } else {
    const auto* offsets = static_cast<const std::int64_t*>(values_);
    begin = offsets[at], end = offsets[at + 1];
  }
  for (; begin < end; ++begin) {
    if (inner_[0].is_null(begin)) throw InvalidInput("a token id is null");
    out.push_back(inner_[0].integer_at(begin));
  }
}

void Column::append(Chunk chunk) {
  if (!chunks_.empty() && chunk.kind() != chunks_[0].kind()) {
    throw InvalidInput("the chunks of a column have different types");
  }
  starts_.push_back(size());
  chunks_.push_back(std::move(chunk));
}

std::size_t Column::chunk_of(std::int64_t row) const {
  return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), row) -
                                  starts_.begin()) -
         1;
}

namespace {

struct SchemaGuard {
  ArrowSchema schema{};
  ~SchemaGuard() {
    if (schema.release != nullptr) schema.release(&schema);
  }
};

void append_array(Column& column, const ArrowSchema& schema, ArrowArray* array) {
  auto owner = std::make_shared<OwnedArray>(array);
  column.append(Chunk(schema, owner, owner->get()));
}

}  // namespace

Column import_stream(ArrowArrayStream* stream) {
  struct StreamGuard {
    ArrowArrayStream* stream;
    ~StreamGuard() {
      if (stream->release != nullptr) stream->release(stream);
    }
  } guard{stream};
  const auto fail = [&](const char* what) {
    const char* why = stream->get_last_error(stream);
    throw InvalidInput(std::string("reading an Arrow stream failed: ") + what +
                       (why != nullptr ? std::string(": ") + why : std::string()));
  };
  SchemaGuard schema;
  if (stream->get_schema(stream, &schema.schema) != 0) fail("no schema");
  Column column;
  for (;;) {
    ArrowArray array{};
    if (stream->get_next(stream, &array) != 0) fail("no next chunk");
    if (array.release == nullptr) return column;
    append_array(column, schema.schema, &array);
  }
}

Column import_array(ArrowSchema* schema, ArrowArray* array) {
  SchemaGuard guard;
  guard.schema = *schema;
  schema->release = nullptr;
  Column column;
  append_array(column, guard.schema, array);
  return column;
}

}  // namespace rlvr::answers
