// The threads of a block, by one thread of the processor: each runs up to a barrier or to its end, and those that wait
// at the barrier go on once all have come there or have ended.
#pragma once

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <memory>
#include <vector>

struct Place {
  unsigned x, y, z;
};

class Block {
 public:
  // Run `threads` threads of a kernel. `at` is where the module says which of them it is.
  void run(void (*kernel)(void*), void* packed, unsigned threads, Place* at) {
    kernel_ = kernel, packed_ = packed, threads_ = threads, at_ = at, next_ = 0;
    do {
      // One strand runs thread after thread; where one of them waits, another goes on with those that are left.
      std::vector<Strand*> waited;
      waited.swap(waiting_);
      for (Strand* strand : waited) resume(*strand);
      while (next_ < threads_) resume(idle());
    } while (!waiting_.empty());
  }

  void wait() {
    Strand& own = *running_;
    waiting_.push_back(&own);
    if (_setjmp(own.inside) == 0) _longjmp(outside_, 1);
    at_->x = own.thread;
  }

 private:
  static constexpr std::size_t STACK_BYTES = 64 << 10;

  struct Strand {
    ucontext_t context;
    jmp_buf inside;
    unsigned thread = 0;
    bool is_begun = false;
  };

  Strand& idle() {
    if (idle_.empty()) {
      strands_.push_back(std::make_unique<Strand>());
      idle_.push_back(strands_.back().get());
    }
    Strand* strand = idle_.back();
    idle_.pop_back();
    return *strand;
  }

  void resume(Strand& strand) {
    running_ = &strand;
    if (_setjmp(outside_) != 0) return;
    if (strand.is_begun) _longjmp(strand.inside, 1);
    strand.is_begun = true;
    getcontext(&strand.context);
    strand.context.uc_stack.ss_sp = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    strand.context.uc_stack.ss_size = STACK_BYTES;
    strand.context.uc_link = nullptr;
    makecontext(&strand.context, reinterpret_cast<void (*)()>(&Block::begin), 0);
    current = this;
    setcontext(&strand.context);
  }

  static void begin() { current->work(); }

  [[noreturn]] void work() {
    Strand& own = *running_;
    while (true) {
      while (next_ < threads_) {
        own.thread = at_->x = next_++;
        kernel_(packed_);
      }
      idle_.push_back(&own);
      if (_setjmp(own.inside) == 0) _longjmp(outside_, 1);
    }
  }

  static inline Block* current = nullptr;
  std::vector<std::unique_ptr<Strand>> strands_;
  std::vector<Strand*> idle_, waiting_;
  Strand* running_ = nullptr;
  jmp_buf outside_;
  void (*kernel_)(void*) = nullptr;
  void* packed_ = nullptr;
  Place* at_ = nullptr;
  unsigned threads_ = 0, next_ = 0;
};
