#include "machine/barrier.hpp"

#include <cstring>
#include <string>

#include "machine/machine.hpp"

namespace machine {

namespace {

constexpr int kMostArrivals = (1 << 20) - 1;
constexpr std::int64_t kMostBytes = (1 << 20) - 1;
constexpr std::uint64_t kSeal =
    0x5ea1ed0ba441e400u;  // the content of a barrier that no store has overwritten

std::string name_of(Address address) { return "mbarrier at " + hex(address); }

}  // namespace

struct Barriers::ParityWait final : Wait {
  ParityWait(Barrier& of, Address where, std::uint32_t of_phase)
      : barrier(of), address(where), parity(of_phase) {}
  bool over() const override { return (barrier.phase & 1) != parity; }
  WaitQueue& queue() override { return barrier.waiting; }
  std::string describe() const override {
    return name_of(address) + " for parity " + std::to_string(parity) + "; in phase " +
           std::to_string(barrier.phase) + ", " + std::to_string(barrier.pending) + " of " +
           std::to_string(barrier.expected) + " arrivals and " + std::to_string(barrier.bytes) +
           " bytes to come";
  }
  Barrier& barrier;
  Address address;
  std::uint32_t parity;
};

void Barriers::init(Address address, int arrivals) {
  if (address % sizeof kSeal != 0) fault(name_of(address) + " is not aligned to 8 bytes");
  if (arrivals < 1 || arrivals > kMostArrivals) {
    fault(name_of(address) + " for " + std::to_string(arrivals) + " arrivals");
  }
  std::memcpy(block_.shared.at(address, sizeof kSeal, "mbarrier.init"), &kSeal, sizeof kSeal);
  if (!barriers_
           .try_emplace(address, Barrier{.expected = arrivals, .pending = arrivals, .waiting = {}})
           .second) {
    fault(name_of(address) + " is initialised twice");
  }
}

void Barriers::publish() {
  for (auto& [address, barrier] : barriers_) barrier.published = true;
}

Barrier& Barriers::at(Address address) {
  const auto found = barriers_.find(address);
  if (found == barriers_.end()) fault(name_of(address) + " is not initialised");
  if (std::memcmp(block_.shared.at(address, sizeof kSeal, "mbarrier"), &kSeal, sizeof kSeal) != 0) {
    fault(name_of(address) + " was written over");
  }
  return found->second;
}

void Barriers::check_published(Address address) {
  if (!at(address).published) {
    fault(name_of(address) + " is used from elsewhere without fence.mbarrier_init");
  }
}

void Barriers::advance(Barrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.waiting.wake_all();
}

void Barriers::arrive(Address address, bool remotely) {
  Barrier& barrier = at(address);
  if (remotely) check_published(address);
  if (block_.live == 0) fault(name_of(address) + " is that of a block that has ended");
  if (barrier.pending == 0) fault(name_of(address) + " gets more arrivals than it expects");
  --barrier.pending;
  advance(barrier);
}

void Barriers::expect(Address address, std::uint32_t bytes) {
  Barrier& barrier = at(address);
  barrier.bytes += bytes;
  if (barrier.bytes > kMostBytes) fault(name_of(address) + " expects too many bytes");
}

// Before the last arrival of a phase, more bytes may have arrived than are expected so far.
void Barriers::complete(Address address, std::size_t bytes) {
  Barrier& barrier = at(address);
  barrier.bytes -= static_cast<std::int64_t>(bytes);
  if (barrier.bytes < -kMostBytes) fault(name_of(address) + " gets too many bytes");
  if (barrier.bytes < 0 && barrier.pending == 0) {
    fault(name_of(address) + " gets more bytes than it expects");
  }
  advance(barrier);
}

void Barriers::wait(Address address, std::uint32_t parity) {
  if (parity > 1) fault(name_of(address) + " is waited for with parity " + std::to_string(parity));
  Thread& thread = self();
  ParityWait wait(at(address), address, parity);
  block_.cluster.wait(thread, wait);
}

}  // namespace machine
