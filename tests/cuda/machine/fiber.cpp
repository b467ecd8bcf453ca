#include "machine/fiber.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <new>
#include <utility>
#include <vector>

namespace machine {

namespace {

constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kStackBytes = 64 << 10;

// Stacks are kept for later launches, because mapping a thousand stacks takes longer than a kernel.
std::vector<std::byte*>& spare_stacks() {
  static std::vector<std::byte*> stacks;
  return stacks;
}

std::byte* take_stack() {
  auto& spare = spare_stacks();
  if (!spare.empty()) {
    std::byte* stack = spare.back();
    spare.pop_back();
    return stack;
  }
  void* stack = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  mprotect(stack, kGuardBytes, PROT_NONE);  // an overflow of the stack ends the process
  return static_cast<std::byte*>(stack);
}

Fiber* beginning = nullptr;  // makecontext passes integers only

}  // namespace

Fiber::~Fiber() {
  if (stack_ != nullptr) spare_stacks().push_back(stack_);
}

void Fiber::prepare(void (*entry)(void*), void* argument) {
  if (stack_ == nullptr) stack_ = take_stack();
  entry_ = entry;
  argument_ = argument;
  started_ = false;
}

void Fiber::begin() {
  Fiber* self = std::exchange(beginning, nullptr);
  self->entry_(self->argument_);
  __builtin_unreachable();
}

// ucontext switches to the new stack; later switches use _setjmp and _longjmp, which make no system
// call.
void Fiber::go() {
  if (started_) _longjmp(place_, 1);
  started_ = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = stack_ + kGuardBytes;
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, &Fiber::begin, 0);
  beginning = this;
  setcontext(&context);
  __builtin_unreachable();
}

void Fiber::switch_to(Fiber& other) {
  if (_setjmp(place_) == 0) other.go();
}

}  // namespace machine
