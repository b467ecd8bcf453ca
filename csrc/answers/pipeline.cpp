#include "answers/pipeline.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "answers/arena.hpp"
#include "answers/normalize.hpp"
#include "common/parallel.hpp"

namespace rlvr::answers {
namespace {

constexpr std::int64_t kTaskRows = 1 << 14;

// Builds a string array from tasks of kTaskRows rows. row(task state, i, out) appends the bytes of
// row i to out and returns whether the row is valid.
template <typename MakeState, typename AppendRow>
StringArray build_strings(std::int64_t rows, const MakeState& make_state, const AppendRow& append) {
  StringArray array;
  array.offsets.resize(rows + 1);
  array.valid.resize(rows);
  const std::int64_t tasks = (rows + kTaskRows - 1) / kTaskRows;
  std::vector<std::string> parts(tasks);
  parallel_for(tasks, [&](std::int64_t task) {
    auto state = make_state();
    std::string& out = parts[task];
    const std::int64_t end = std::min(rows, (task + 1) * kTaskRows);
    append(
        state, task * kTaskRows, end,
        [&](std::int64_t row, bool valid) {
          array.valid[row] = valid;
          array.offsets[row + 1] = static_cast<std::int64_t>(out.size());
        },
        out);
  });
  std::vector<std::int64_t> base(tasks + 1);
  for (std::int64_t t = 0; t < tasks; ++t) {
    base[t + 1] = base[t] + static_cast<std::int64_t>(parts[t].size());
  }
  array.bytes.resize(base[tasks]);
  parallel_for(tasks, [&](std::int64_t task) {
    std::copy(parts[task].begin(), parts[task].end(), array.bytes.begin() + base[task]);
    std::string().swap(parts[task]);
    const std::int64_t end = std::min(rows, (task + 1) * kTaskRows);
    for (std::int64_t row = task * kTaskRows; row < end; ++row)
      array.offsets[row + 1] += base[task];
  });
  return array;
}

const Chunk& string_chunk(const Chunk& chunk, const char* what) {
  if (chunk.kind() != ColumnKind::kString) {
    throw InvalidInput(std::string(what) + ": expected strings");
  }
  return chunk;
}

struct Nothing {};

}  // namespace

Extracted extract_column(const Column& texts, Policy policy, std::size_t max_bytes) {
  const std::int64_t rows = texts.size();
  Extracted result;
  result.statuses.resize(rows);
  result.answers = build_strings(
      rows, [] { return std::string(); },
      [&](std::string& buffer, std::int64_t begin, std::int64_t end, const auto& done,
          std::string& out) {
        texts.for_rows(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
          const Row text = string_chunk(chunk, "texts").string_at(i);
          const Extraction found =
              text.null ? Extraction{} : extract(text.text, policy, max_bytes, buffer);
          result.statuses[row] = static_cast<std::int8_t>(found.status);
          if (found.status == Status::kFound) append_utf8(found.answer, out);
          done(row, found.status == Status::kFound);
        });
      });
  return result;
}

Normalized normalize_column(const Column& answers) {
  const std::int64_t rows = answers.size();
  Normalized result;
  result.resolved.resize(rows);
  result.canonicals = build_strings(
      rows, [] { return std::make_unique<NormalizeCache>(); },
      [&](std::unique_ptr<NormalizeCache>& cache, std::int64_t begin, std::int64_t end,
          const auto& done, std::string& out) {
        answers.for_rows(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
          const Row answer = string_chunk(chunk, "answers").string_at(i);
          bool resolved = false;
          if (!answer.null) out.append((*cache)(answer.text, resolved));
          result.resolved[row] = resolved;
          done(row, !answer.null);
        });
      });
  return result;
}

StringArray complete_column(const Column& forms, const Column& golds) {
  if (forms.size() != golds.size()) {
    throw InvalidInput("expected as many golds as forms; got " + std::to_string(golds.size()) +
                       " and " + std::to_string(forms.size()));
  }
  return build_strings(
      forms.size(), [] { return Nothing{}; },
      [&](Nothing, std::int64_t begin, std::int64_t end, const auto& done, std::string& out) {
        forms.for_rows(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
          const Row form = string_chunk(chunk, "forms").string_at(i);
          std::int64_t at;
          const Row gold = string_chunk(golds.chunk_at(row, at), "golds").string_at(at);
          if (!form.null) {
            complete_form(form.text, gold.null ? std::string_view() : gold.text, out);
          }
          done(row, !form.null);
        });
      });
}

std::vector<std::uint8_t> compare_columns(const Column& golds, const Column& answers) {
  if (golds.size() != answers.size()) {
    throw InvalidInput("expected as many golds as answers; got " + std::to_string(golds.size()) +
                       " and " + std::to_string(answers.size()));
  }
  const std::int64_t rows = golds.size();
  std::vector<std::uint8_t> result(rows);
  const std::int64_t tasks = (rows + kTaskRows - 1) / kTaskRows;
  parallel_for(tasks, [&](std::int64_t task) {
    const std::int64_t end = std::min(rows, (task + 1) * kTaskRows);
    golds.for_rows(
        task * kTaskRows, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
          const Row gold = string_chunk(chunk, "golds").string_at(i);
          std::int64_t at;
          const Row answer = string_chunk(answers.chunk_at(row, at), "answers").string_at(at);
          result[row] = static_cast<std::uint8_t>(gold.null || answer.null
                                                      ? CanonicalComparison::kUnknown
                                                      : compare_canonical(gold.text, answer.text));
        });
  });
  return result;
}

namespace {

// The state that one task of add_columns keeps between batches.
struct AddState {
  AddState(ProblemTable& table) : problems(table) {}
  ProblemCache problems;
  std::vector<std::uint32_t> codes;
  NormalizeCache cache;
  Arena kept{256 << 10};  // canonical forms of this batch
  StatusCounts statuses;
  std::string buffer;  // an answer that is no piece of its text, until the next row
};

}  // namespace

StatusCounts add_columns(GroupIndex& index, const Column& problems, const Column& texts,
                         const AddOptions& options, RowGroups* row_groups) {
  if (problems.size() != texts.size()) {
    throw InvalidInput("expected a problem id for each answer; got " +
                       std::to_string(problems.size()) + " problem ids and " +
                       std::to_string(texts.size()) + " answers");
  }
  if (texts.size() == 0) return {};
  const bool integers = problems.kind() == ColumnKind::kInteger;
  if (problems.kind() == ColumnKind::kList) {
    throw InvalidInput("problem_ids: expected integers or strings, got lists");
  }
  if (texts.kind() != ColumnKind::kString) throw InvalidInput("answers: expected strings");
  index.problems().set_kind(integers ? ProblemTable::Kind::kInteger : ProblemTable::Kind::kString);
  std::vector<std::unique_ptr<AddState>> states(kBatchTasks);
  for (auto& state : states) state = std::make_unique<AddState>(index.problems());
  const auto null_problem = [](std::int64_t row) {
    throw InvalidInput("problem_ids: row " + std::to_string(row) +
                       " is null; each answer needs the id of its problem");
  };
  const bool plain = !options.policy && !options.normalize;
  index.add_rows(
      texts.size(),
      [&](int task, std::int64_t begin, std::int64_t end, const auto& sink) {
        AddState& state = *states[task];
        state.kept.clear();
        std::vector<std::uint32_t>& codes = state.codes;
        codes.resize(end - begin);
        problems.for_chunks(
            begin, end,
            [&](std::int64_t row, const Chunk& chunk, std::int64_t i, std::int64_t stop) {
              std::uint32_t* code = codes.data() + (row - begin);
              if (const std::int64_t* ids = integers ? chunk.plain_integers(i) : nullptr) {
                constexpr std::int64_t kAhead = 64;
                for (std::int64_t k = 0; k < stop - i; ++k) {
                  if (k + kAhead < stop - i && ids[k + kAhead] != ids[k + kAhead - 1]) {
                    index.problems().prefetch(ids[k + kAhead]);
                  }
                  code[k] =
                      k > 0 && ids[k] == ids[k - 1] ? code[k - 1] : index.problems().code(ids[k]);
                }
                return;
              }
              for (; i < stop; ++i, ++row) {
                if (chunk.is_null(i)) null_problem(row);
                *code++ = integers ? state.problems.code(chunk.integer_at(i))
                                   : state.problems.code(chunk.string_at(i).text);
              }
            });
        if (plain) {
          texts.for_chunks(
              begin, end,
              [&](std::int64_t row, const Chunk& chunk, std::int64_t i, std::int64_t stop) {
                std::array<Row, 64> some;
                for (; i < stop; i += static_cast<std::int64_t>(some.size())) {
                  const std::int64_t n = std::min<std::int64_t>(some.size(), stop - i);
                  chunk.strings(i, i + n, some.data());
                  for (std::int64_t k = 0; k < n; ++k, ++row) {
                    sink(row, codes[row - begin], some[k].null, some[k].text);
                  }
                }
              });
          return;
        }
        texts.for_rows(begin, end, [&](std::int64_t row, const Chunk& chunk, std::int64_t i) {
          const Row text = chunk.string_at(i);
          const std::uint32_t problem = codes[row - begin];
          Extraction found;
          if (!text.null) {
            found = options.policy
                        ? extract(text.text, *options.policy, options.max_bytes, state.buffer)
                        : Extraction{text.text, Status::kFound};
          }
          ++state.statuses.by_status[static_cast<int>(found.status)];
          const bool null = found.status != Status::kFound;
          std::string_view answer;
          if (null) {
          } else if (options.normalize) {
            bool resolved;
            answer = state.cache(found.answer, resolved);
            if (answer.size() > 12) answer = state.kept.store(answer);
          } else if (is_valid_utf8(found.answer)) {
            const bool piece = found.answer.data() < state.buffer.data() ||
                               found.answer.data() >= state.buffer.data() + state.buffer.size();
            answer = piece ? found.answer : state.kept.store(found.answer);
          } else {
            std::string clean;
            append_utf8(found.answer, clean);
            answer = state.kept.store(clean);
          }
          sink(row, problem, null, answer);
        });
      },
      row_groups, options.batch_rows);
  StatusCounts total;
  for (const auto& state : states) {
    for (int s = 0; s < 4; ++s) total.by_status[s] += state->statuses.by_status[s];
  }
  return total;
}

GroupColumns group_columns(const GroupIndex& index, const std::vector<std::uint32_t>& order) {
  GroupColumns out;
  const auto groups = static_cast<std::int64_t>(order.size());
  out.counts.resize(groups);
  out.first_rows.resize(groups);
  const bool strings = index.problems().kind() == ProblemTable::Kind::kString;
  if (!strings) out.integer_problems.resize(groups);
  out.answers = build_strings(
      groups, [] { return Nothing{}; },
      [&](Nothing, std::int64_t begin, std::int64_t end, const auto& done, std::string& bytes) {
        for (std::int64_t g = begin; g < end; ++g) {
          if (g + 32 < end) index.group(order[g + 32]).prefetch();
          if (g + 16 < end) index.group(order[g + 16]).prefetch_answer();
          const Group& group = index.group(order[g]);
          out.counts[g] = static_cast<std::int64_t>(group.count);
          out.first_rows[g] = static_cast<std::int64_t>(group.first_row);
          if (!strings) out.integer_problems[g] = index.problems().integer(group.problem);
          append_utf8(group.answer(), bytes);
          done(g, !group.null());
        }
      });
  if (strings) {
    out.string_problems = build_strings(
        groups, [] { return Nothing{}; },
        [&](Nothing, std::int64_t begin, std::int64_t end, const auto& done, std::string& bytes) {
          for (std::int64_t g = begin; g < end; ++g) {
            append_utf8(index.problems().string(index.group(order[g]).problem), bytes);
            done(g, true);
          }
        });
  }
  return out;
}

void rank_rows(const GroupIndex& index, const std::vector<std::uint32_t>& order,
               RowGroups& row_groups) {
  std::vector<std::uint32_t> start(kShards + 1);
  for (int s = 0; s < kShards; ++s) start[s + 1] = start[s] + index.shard(s).size();
  std::vector<std::uint32_t> rank(order.size());
  for (std::size_t place = 0; place < order.size(); ++place) {
    rank[start[order[place] >> 26] + (order[place] & ((1U << 26) - 1))] =
        static_cast<std::uint32_t>(place);
  }
  std::uint32_t* rows = row_groups.places;
  parallel_for(static_cast<std::int64_t>(row_groups.parts.size()), [&](std::int64_t p) {
    RowGroups::Part& part = row_groups.parts[p];
    for (std::size_t e = 0; e < part.groups.size(); ++e) {
      part.groups[e] = rank[start[part.shards[e / TaskEntries::kChunk]] + part.groups[e]];
    }
    for (std::int64_t row = part.begin; row < part.end; ++row) {
      rows[row] = part.groups[rows[row]];
    }
  });
}

}  // namespace rlvr::answers
