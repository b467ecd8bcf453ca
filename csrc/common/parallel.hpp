// Runs independent tasks on a pool of threads that persists between calls.
#pragma once

#include <cstdint>
#include <functional>

namespace rlvr {

// The number of threads of a parallel loop, the calling thread included. The default is the number
// of processors that this process may run on; set_num_threads(0) restores the default.
int num_threads();
void set_num_threads(int threads);

// Calls task(i) once for each i in [0, count), in no particular order, and returns when all are
// done. Tasks must not depend on the thread that runs them. parallel_for throws the first exception
// of a task again, and then starts no further task. A loop inside a task, or one started while
// another Python thread's loop runs, runs in the calling thread. Safe after fork.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& task);

}  // namespace rlvr
