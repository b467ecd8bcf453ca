#include "machine/thread_copies.hpp"

#include <cstdint>
#include <cstring>
#include <utility>

#include "machine/machine.hpp"

namespace machine {

namespace {

constexpr std::size_t kBytes = 16;

}  // namespace

void ThreadCopies::copy(Address destination, const void* source, int bytes) {
  if (destination % kBytes != 0) fault("cp.async to " + hex(destination) + ", not aligned to 16");
  if (bytes < 0 || bytes > static_cast<int>(kBytes)) fault("cp.async of a wrong number of bytes");
  if (reinterpret_cast<std::uintptr_t>(source) % kBytes != 0) {
    fault("cp.async from an address that is not aligned to 16");
  }
  self().block->shared.begin_write(destination, kBytes, "cp.async");
  open_.push_back({destination, static_cast<const std::byte*>(source), bytes});
}

void ThreadCopies::commit() { groups_.push_back(std::exchange(open_, {})); }

void ThreadCopies::land(const Copy& copy) {
  SharedMemory& shared = self().block->shared;
  std::byte* to = shared.at(copy.destination, kBytes, "cp.async");
  std::memset(to, 0, kBytes);
  if (copy.bytes > 0) std::memcpy(to, copy.source, static_cast<std::size_t>(copy.bytes));
  shared.end_write(copy.destination, kBytes);
}

void ThreadCopies::wait(int pending) {
  while (groups_.size() > static_cast<std::size_t>(pending)) {
    for (const Copy& copy : groups_.front()) land(copy);
    groups_.pop_front();
  }
}

void ThreadCopies::check_idle() const {
  bool idle = open_.empty();
  for (const auto& group : groups_) idle = idle && group.empty();
  if (!idle) fault("the thread ends before a cp.async has been waited for");
}

}  // namespace machine
