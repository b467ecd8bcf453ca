// cp.async: sixteen bytes at a time from global to shared memory, asynchronously to the thread that
// asks. PTX ISA, "Data Movement and Conversion Instructions: cp.async", commit_group, wait_group.
//
// The bytes land when the thread waits for their group, as late as they may; until then nan lies
// there, as early as they may have changed what did.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "machine/shared_memory.hpp"

namespace machine {

class ThreadCopies {
 public:
  // The first `bytes` of sixteen from `source`; zeros after them.
  void copy(Address destination, const void* source, int bytes);
  void commit();
  void wait(int pending);  // until no more than `pending` of the latest groups are under way
  void check_idle() const;

 private:
  struct Copy {
    Address destination;
    const std::byte* source;
    int bytes;
  };

  static void land(const Copy& copy);

  std::vector<Copy> open_;
  std::deque<std::vector<Copy>> groups_;
};

}  // namespace machine
