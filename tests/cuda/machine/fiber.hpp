// A device thread as a coroutine of the host thread: it runs until it switches to another one.
#pragma once

#include <setjmp.h>

#include <cstddef>

namespace machine {

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // The next switch to it begins entry(argument), which must not return.
  void prepare(void (*entry)(void*), void* argument);

  // Leaves this one, which runs now, until something switches back to it.
  void switch_to(Fiber& other);

 private:
  static void begin();
  [[noreturn]] void go();

  jmp_buf place_;
  std::byte* stack_ = nullptr;
  bool started_ = true;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace machine
