// A device thread as a coroutine of the host thread; the coroutine runs until it switches to
// another one.
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

  // The next switch to this fiber begins entry(argument), which must not return.
  void prepare(void (*entry)(void*), void* argument);

  // Suspends this fiber, which must be the running one, and continues `other`.
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
