// Whole columns at a time: extract, normalise, group. Rows are cut into tasks for parallel_for;
// results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "answers/columns.hpp"
#include "answers/extract.hpp"
#include "answers/group.hpp"

namespace rlvr::answers {

// An Arrow large_string array in parts: offsets (rows + 1), bytes, and which rows are valid.
struct StringArray {
  std::vector<std::int64_t> offsets;
  std::vector<char> bytes;
  std::vector<std::uint8_t> valid;  // one byte a row
};

struct Extracted {
  StringArray answers;
  std::vector<std::int8_t> statuses;
};
// A null text is missing.
Extracted extract_column(const Column& texts, Policy policy, std::size_t max_bytes);

struct Normalized {
  StringArray canonicals;
  std::vector<std::uint8_t> resolved;
};
Normalized normalize_column(const Column& answers);

std::vector<std::uint8_t> compare_columns(const Column& golds, const Column& answers);

// complete_form of each row; a null gold changes nothing.
StringArray complete_column(const Column& forms, const Column& golds);

// Turns rows into answers before grouping.
struct AddOptions {
  std::optional<Policy> policy;  // absent: the texts are answers already
  std::size_t max_bytes = kDefaultMaxAnswerBytes;
  bool normalize = false;
  std::int64_t batch_rows = kSmallBatch;
};
struct StatusCounts {
  std::uint64_t by_status[4] = {};
};
StatusCounts add_columns(GroupIndex& index, const Column& problems, const Column& texts,
                         const AddOptions& options, RowGroups* row_groups = nullptr);

// The groups of an index as columns, in the order of their first rows.
struct GroupColumns {
  std::vector<std::int64_t> integer_problems;
  StringArray string_problems;
  StringArray answers;
  std::vector<std::int64_t> counts, first_rows;
};
GroupColumns group_columns(const GroupIndex& index, const std::vector<std::uint32_t>& order);

// Replaces each row's place in row_groups.places by the position of the row's group in `order`.
void rank_rows(const GroupIndex& index, const std::vector<std::uint32_t>& order,
               RowGroups& row_groups);

}  // namespace rlvr::answers
