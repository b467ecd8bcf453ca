// Finds completions that are equal, or that share most of their token n-grams.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "answers/columns.hpp"

namespace rlvr::answers {

struct DuplicateOptions {
  std::optional<double> threshold;  // Jaccard; absent: exact duplicates only
  int ngram = 5;                    // tokens in a shingle
};

struct Duplicates {
  std::vector<std::uint32_t> group_of_row;
  std::vector<std::int64_t> counts, first_rows;  // by group, in the order of first rows
};

// texts: strings (their words are the tokens) or lists of integers (token ids). Exact duplicates
// are rows with equal 128-bit hashes. Near ones are linked when their sets of n-grams have a
// Jaccard similarity of at least threshold, computed exactly for the pairs that 128 min-hashes (one
// permutation, optimally densified: Shrivastava, ICML 2017) propose by banding, which misses a pair
// at the threshold with probability below 1e-3; groups are the connected components. The same for
// any number of threads.
Duplicates find_duplicates(const Column& texts, const DuplicateOptions& options);

}  // namespace rlvr::answers
