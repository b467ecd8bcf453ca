// What a thread waits for, and who waits for one thing.
#pragma once

#include <string>
#include <vector>

namespace machine {

class Cluster;
struct Block;
struct Thread;
struct Warp;

// Threads that look again when something has changed. Whether they then go on is seen only when
// their turn comes: what was true in between is missed, as by a thread that polls.
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
