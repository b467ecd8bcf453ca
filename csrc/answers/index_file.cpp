// The file of a GroupIndex. Every word is little-endian.
//   magic "RLVRIDX1" | u32 problem kind | u32 flags (0) | u64 rows | u64 problems | u64 groups
//   problems: i64, or u64 length and bytes
//   groups, shard by shard: u32 problem | u32 length (2^32 - 1: no answer) | u64 count | u64 first
//   row | bytes checksum: two u64, hash128 chained over blocks of 1 MiB of all that precedes it
#include <cstdio>
#include <filesystem>

#include "answers/group.hpp"

namespace rlvr::answers {
namespace {

constexpr char kMagic[8] = {'R', 'L', 'V', 'R', 'I', 'D', 'X', '1'};
constexpr std::size_t kBlockBytes = 1 << 20;

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

class Checksum {
 public:
  void update(std::string_view block) {
    const Hash128 h = hash128(block, state_.lo ^ std::rotl(state_.hi, 32));
    state_ = {h.lo + state_.hi, h.hi};
  }
  const Hash128& value() const { return state_; }

 private:
  Hash128 state_;
};

class Writer {
 public:
  Writer(std::FILE* file, const std::string& path) : file_(file), path_(path) {
    buffer_.reserve(kBlockBytes + 64);
  }
  void bytes(std::string_view data) {
    while (!data.empty()) {
      const std::size_t n = std::min(data.size(), kBlockBytes - buffer_.size());
      buffer_.append(data.substr(0, n));
      data.remove_prefix(n);
      if (buffer_.size() == kBlockBytes) flush();
    }
  }
  template <typename T>
  void number(T value) {
    char raw[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      raw[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    bytes({raw, sizeof raw});
  }
  void finish() {
    flush();
    const Hash128 sum = checksum_.value();
    number(sum.lo), number(sum.hi);
    write();
    if (std::fflush(file_) != 0) fail();
  }

 private:
  void flush() {
    if (!buffer_.empty()) checksum_.update(buffer_);
    write();
  }
  void write() {
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size()) fail();
    buffer_.clear();
  }
  [[noreturn]] void fail() const { throw InvalidInput("writing " + path_ + " failed: disk full?"); }

  std::FILE* file_;
  const std::string& path_;
  std::string buffer_;
  Checksum checksum_;
};

class Reader {
 public:
  Reader(std::FILE* file, const std::string& path, std::uint64_t size)
      : file_(file), path_(path), left_(size) {}
  void bytes(char* out, std::size_t n) {
    while (n > 0) {
      if (at_ == buffer_.size()) fill();
      const std::size_t part = std::min(n, buffer_.size() - at_);
      std::memcpy(out, buffer_.data() + at_, part);
      out += part, at_ += part, n -= part;
    }
  }
  template <typename T>
  T number() {
    char raw[sizeof(T)];
    bytes(raw, sizeof raw);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
    }
    return static_cast<T>(value);
  }
  // A length must not exceed the rest of the file, so that a damaged length allocates little
  // memory.
  std::string text(std::uint64_t n) {
    if (n > left_ + buffer_.size() - at_) damaged("a length runs past its end");
    std::string out(n, '\0');
    bytes(out.data(), n);
    return out;
  }
  void check_sum() {
    if (left_ != 0 || at_ != buffer_.size()) damaged("bytes follow its last group");
    char raw[16], expected[16];
    const Hash128 sum = checksum_.value();
    for (int i = 0; i < 8; ++i) {
      expected[i] = static_cast<char>(sum.lo >> (8 * i));
      expected[8 + i] = static_cast<char>(sum.hi >> (8 * i));
    }
    if (std::fread(raw, 1, 16, file_) != 16 || std::memcmp(raw, expected, 16) != 0) {
      damaged("its checksum does not match");
    }
  }
  [[noreturn]] void damaged(const char* how) const {
    throw InvalidInput(path_ + " is damaged or not an answer index: " + how +
                       "; build it again from the run");
  }

 private:
  void fill() {
    if (left_ == 0) damaged("it ends too early");
    buffer_.resize(std::min<std::uint64_t>(kBlockBytes, left_));
    if (std::fread(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size()) {
      damaged("it can't be read to its end");
    }
    left_ -= buffer_.size();
    at_ = 0;
    checksum_.update(buffer_);
  }

  std::FILE* file_;
  const std::string& path_;
  std::uint64_t left_;
  std::string buffer_;
  std::size_t at_ = 0;
  Checksum checksum_;
};

}  // namespace

void GroupIndex::save(const std::string& path) const {
  // Writes a temporary file and renames it, so that the file under the final name is complete.
  const std::string partial = path + ".partial";
  {
    const File file(std::fopen(partial.c_str(), "wb"));
    if (file == nullptr) throw InvalidInput("can't open " + partial + " to write an answer index");
    Writer out(file.get(), partial);
    out.bytes({kMagic, sizeof kMagic});
    out.number(static_cast<std::uint32_t>(problems_.kind()));
    out.number(std::uint32_t{0});
    out.number(num_rows_);
    out.number(static_cast<std::uint64_t>(problems_.size()));
    out.number(num_groups());
    for (std::uint32_t i = 0; i < problems_.size(); ++i) {
      if (problems_.kind() == ProblemTable::Kind::kInteger) {
        out.number(problems_.integer(i));
      } else {
        out.number(static_cast<std::uint64_t>(problems_.string(i).size()));
        out.bytes(problems_.string(i));
      }
    }
    for (const Shard& shard : shards_) {
      for (std::uint32_t i = 0; i < shard.size(); ++i) {
        const Group& group = shard[i];
        out.number(group.problem), out.number(group.length);
        out.number(group.count), out.number(group.first_row);
        out.bytes(group.answer());
      }
    }
    out.finish();
  }
  std::error_code error;
  std::filesystem::rename(partial, path, error);
  if (error) throw InvalidInput("can't rename " + partial + " to " + path + ": " + error.message());
}

void GroupIndex::load(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (file == nullptr || error) throw InvalidInput("can't open the answer index " + path);
  const std::uint64_t header = sizeof kMagic + 32, sum = 16;
  Reader in(file.get(), path, size < header + sum ? size : size - sum);
  if (size < header + sum) in.damaged("it is too short");
  char magic[sizeof kMagic];
  in.bytes(magic, sizeof magic);
  if (std::memcmp(magic, kMagic, sizeof magic) != 0) in.damaged("it does not begin with RLVRIDX1");
  const auto kind = in.number<std::uint32_t>();
  if (kind > 2 || in.number<std::uint32_t>() != 0) in.damaged("its header is of no known version");
  const auto rows = in.number<std::uint64_t>();
  const auto problems = in.number<std::uint64_t>();
  const auto groups = in.number<std::uint64_t>();
  if (kind == 0 && problems != 0) in.damaged("its problem ids have no kind");
  if (kind != 0) problems_.set_kind(static_cast<ProblemTable::Kind>(kind));
  for (std::uint64_t i = 0; i < problems; ++i) {
    const std::uint32_t code = kind == 1 ? problems_.code(in.number<std::int64_t>())
                                         : problems_.code(in.text(in.number<std::uint64_t>()));
    if (code != i) in.damaged("a problem id appears twice");
  }
  for (std::uint64_t i = 0; i < groups; ++i) {
    const auto problem = in.number<std::uint32_t>();
    const auto length = in.number<std::uint32_t>();
    const auto count = in.number<std::uint64_t>();
    const auto first_row = in.number<std::uint64_t>();
    if (problem >= problems) in.damaged("a group names no problem of the file");
    if (first_row >= rows) in.damaged("a group begins at no row of the file");
    const bool null = length == kNullLength;
    add_group(problem, null, null ? std::string() : in.text(length), count, first_row);
  }
  num_rows_ = rows;
  in.check_sum();
}

}  // namespace rlvr::answers
