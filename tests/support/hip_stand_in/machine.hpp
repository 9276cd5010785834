// What the stand-in is made of: its devices, their streams and memory, and the faults that a test plants.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// hip_runtime_api.h of ROCm 7.0: hipError_t.
enum Status {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200,
  INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, PEER_ON = 704, PEER_OFF = 705, LAUNCH_FAILURE = 719,
  NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, UNKNOWN = 999,
};

using Act = std::function<void()>;

struct Graph {
  std::vector<Act> acts;
  bool is_there = false;  // on the device: its first launch brings it there
};

// A queue: what is in it runs when something waits for it. `done` of `added` acts have run.
struct Stream {
  int device;
  std::deque<Act> acts;
  std::size_t done = 0, added = 0;
  std::shared_ptr<Graph> captured;
  bool is_invalid = false;  // a call was refused while it was captured

  void run_to(std::size_t place) {
    while (done < place) {
      const Act act = std::move(acts.front());
      acts.pop_front();
      act();
      ++done;
    }
  }
};

// When an event was passed, and how many first launches there had been by then.
struct Mark {
  Stream* on = nullptr;
  std::size_t place = 0;
  bool is_passed = false;
  double seconds = 0;
  long firsts = 0;
};

struct Event {
  int device;
  bool is_timed;
  std::shared_ptr<Mark> mark;
};

struct Memory {
  std::size_t size_bytes;
  int device;  // HOST of what is page-locked
  void* mapped;
  std::size_t mapped_bytes;
};
constexpr int HOST = -1;

// The call or kernel of a name (`triad_*`: of all that begin so), its number from then on (0: each), and what becomes
// of it: a status, `skip`, `short` (without the last 16 bytes) or `flip` (one bit of what it writes).
struct Fault {
  std::string name, what;
  long number, seen;
};

inline bool is_named(const std::string& name, const std::string& pattern) {
  const bool is_open = !pattern.empty() && pattern.back() == '*';
  return is_open ? name.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0 : name == pattern;
}

inline long number_of(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtol(text, nullptr, 10) : otherwise;
}

struct Machine {
  std::recursive_mutex mutex;
  int count = static_cast<int>(number_of("HIP_STAND_IN_DEVICES", 2));
  std::size_t memory_bytes = static_cast<std::size_t>(number_of("HIP_STAND_IN_MIB", 2048)) << 20;
  bool is_eager = number_of("HIP_STAND_IN_EAGER", 0) != 0;  // what is queued runs at once: the earliest it can
  std::vector<std::unique_ptr<Stream>> streams;
  std::map<const char*, Memory> memories;
  std::map<std::pair<int, int>, bool> peers;
  std::deque<Fault> faults;
  std::map<std::string, long> calls;
  int lost = SUCCESS, last = SUCCESS;
  long firsts = 0, timed_firsts = 0;  // first launches of kernels and graphs, and those between two timed events

  Machine() {
    const char* planned = std::getenv("HIP_STAND_IN_FAULTS");
    plan(planned != nullptr ? planned : "");
  }

  // Plant faults in the place of those before: NAME:NUMBER:WHAT,...
  void plan(const std::string& text) {
    faults.clear();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::size_t first = text.find(':', begin), second = text.find(':', first + 1);
      faults.push_back({text.substr(begin, first - begin), text.substr(second + 1, end - second - 1),
                        std::stol(text.substr(first + 1)), 0});
      begin = end + 1;
    }
  }

  // Count a call, and return what becomes of it, "" where all is well.
  std::string fault_of(const std::string& name) {
    ++calls[name];
    for (Fault& fault : faults)
      if (is_named(name, fault.name)) {
        ++fault.seen;
        if (fault.number == 0 || fault.number == fault.seen) return fault.what;
      }
    return "";
  }

  long called(const std::string& name) const {
    long sum = 0;
    for (const auto& [one, times] : calls)
      if (is_named(one, name)) sum += times;
    return sum;
  }

  // Whose memory all these bytes are, and nothing where they are not of one allocation.
  const Memory* memory_at(const void* at, std::size_t size_bytes) const {
    const char* begin = static_cast<const char*>(at);
    auto next = memories.upper_bound(begin);
    if (next == memories.begin()) return nullptr;
    const auto& [start, memory] = *--next;
    return begin + size_bytes <= start + memory.size_bytes ? &memory : nullptr;
  }

  std::size_t free_bytes(int device) const {
    std::size_t taken = 64 << 20;  // what a driver keeps for itself
    for (const auto& [_, memory] : memories)
      if (memory.device == device) taken += memory.size_bytes;
    return taken < memory_bytes ? memory_bytes - taken : 0;
  }

  bool is_capturing() const {
    for (const auto& stream : streams)
      if (stream->captured) return true;
    return false;
  }

  void finish(int device) {
    for (const auto& stream : streams)
      if (stream->device == device) stream->run_to(stream->added);
  }
};

// It lives to the very end: CuPy frees what it has after the libraries' own destructors.
inline Machine& machine = *new Machine;

inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
