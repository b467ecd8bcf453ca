// Groups in several threads at once, for the thread sanitizer: each thread has its own index, all
// share the pool, and all must get the same groups.
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "answers/group.hpp"

using namespace rlvr::answers;

namespace {

std::uint64_t grouped(std::int64_t rows) {
  GroupIndex index;
  index.problems().set_kind(ProblemTable::Kind::kString);
  std::vector<std::unique_ptr<ProblemCache>> caches;
  for (int t = 0; t < kBatchTasks; ++t) {
    caches.push_back(std::make_unique<ProblemCache>(index.problems()));
  }
  std::vector<std::deque<std::string>> kept(kBatchTasks);
  std::vector<std::uint32_t> places(rows);
  RowGroups row_groups;
  row_groups.places = places.data();
  index.add_rows(
      rows,
      [&](int task, std::int64_t begin, std::int64_t end, const auto& sink) {
        kept[task].clear();
        for (std::int64_t row = begin; row < end; ++row) {
          const std::string& answer =
              kept[task].emplace_back("the answer is " + std::to_string(row * 7919 % 997));
          sink(row, caches[task]->code(std::to_string(row % 13)), false, answer);
        }
      },
      &row_groups, 4096);
  std::uint64_t sum = index.num_groups() * 1000003 + index.order().size();
  for (const RowGroups::Part& part : row_groups.parts) {
    for (std::int64_t row = part.begin; row < part.end; ++row) {
      const std::uint32_t shard = part.shards[places[row] / TaskEntries::kChunk];
      sum = sum * 31 + index.shard(static_cast<int>(shard))[part.groups[places[row]]].first_row;
    }
  }
  return sum;
}

}  // namespace

int main() {
  rlvr::set_num_threads(4);
  const std::uint64_t want = grouped(20000);
  std::vector<std::uint64_t> got(3);
  std::vector<std::thread> threads;
  for (auto& g : got) threads.emplace_back([&g] { g = grouped(20000); });
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t g : got) {
    if (g != want) {
      std::puts("threads disagree");
      return 1;
    }
  }
  std::puts("ok");
  return 0;
}
