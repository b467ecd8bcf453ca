// The event that a thread waits for, and the queue of threads that wait for one event.
#pragma once

#include <string>
#include <vector>

namespace machine {

class Cluster;
struct Block;
struct Thread;
struct Warp;

// Threads that check their condition again after a change. A thread checks the condition only in
// its next turn, so that it may miss a condition that was true in between, as a polling thread may.
class WaitQueue {
 public:
  void add(Thread& thread) { threads_.push_back(&thread); }
  void wake_all();

 private:
  std::vector<Thread*> threads_;
};

class Wait {
 public:
  virtual bool over() const = 0;
  virtual WaitQueue& queue() = 0;
  virtual std::string describe() const = 0;

 protected:
  ~Wait() = default;
};

}  // namespace machine
