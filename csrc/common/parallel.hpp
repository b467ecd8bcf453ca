// Runs independent tasks on a few threads that stay alive between calls.
#pragma once

#include <cstdint>
#include <functional>

namespace rlvr {

// How many threads a parallel loop uses, the caller's included: the processors this process may run
// on, unless set_num_threads said otherwise (0 restores that default).
int num_threads();
void set_num_threads(int threads);

// Calls task(i) once for each i in [0, count), in no particular order, and returns when all are
// done. Tasks must not depend on which thread runs them. The first exception thrown is thrown again
// here, and tasks not yet begun are then left out. A loop inside a task, or one started while
// another Python thread's loop runs, runs in the calling thread. Safe after fork.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& task);

}  // namespace rlvr
