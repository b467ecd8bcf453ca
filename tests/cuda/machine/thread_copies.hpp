// cp.async: asynchronous copies of sixteen bytes from global to shared memory. PTX ISA, "Data
// Movement and Conversion Instructions: cp.async", commit_group, wait_group.
//
// The bytes arrive when the thread waits for their group, which is the latest time that the
// hardware allows. From the issue on, which is the earliest time, the destination holds nan.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "machine/shared_memory.hpp"

namespace machine {

class ThreadCopies {
 public:
  // Copies the first `bytes` of sixteen bytes from `source`, and fills the rest with zeros.
  void copy(Address destination, const void* source, int bytes);
  void commit();
  void wait(int pending);  // until at most the latest `pending` groups are pending
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
