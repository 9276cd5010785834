// How a call of the stand-in is done: one at a time, unless the device is lost or a fault was planted.
#pragma once

#include <cctype>

#include "machine.hpp"

inline thread_local int current = 0;  // the device of the calling thread

// `act` is given what was planted and is no status.
template <class Do> int call(const char* name, Do act) {
  const std::lock_guard<std::recursive_mutex> lock(machine.mutex);
  const std::string fault = machine.fault_of(name);
  int status = machine.lost;
  if (status == SUCCESS) {
    status = !fault.empty() && std::isdigit(fault[0]) ? std::stoi(fault) : act(fault);
    if (status == LAUNCH_FAILURE) machine.lost = status;  // a kernel's fault: nothing is done any more
  }
  if (status != SUCCESS && status != NOT_READY) machine.last = status;
  return status;
}

inline int queue(Stream* stream, const Act& act) {
  if (stream == nullptr) {  // of the default stream all that is done here waits for nothing else
    act();
  } else if (stream->captured) {
    stream->captured->acts.push_back(act);
  } else {
    stream->acts.push_back(act);
    ++stream->added;
    if (machine.is_eager) stream->run_to(stream->added);
  }
  return SUCCESS;
}

// Of a stream that is captured a refused call spoils the whole.
template <class Do> int on_stream(const char* name, Stream* stream, Do act) {
  const int status = call(name, [&](const std::string& fault) -> int {
    if (stream != nullptr && stream->device != current) return INVALID_HANDLE;
    return act(fault);
  });
  if (status != SUCCESS && stream != nullptr && stream->captured) stream->is_invalid = true;
  return status;
}

// What waits for a device, takes memory or loads code, is refused while a stream is captured.
template <class Do> int uncaptured(const char* name, Do act) {
  return call(name, [&](const std::string& fault) -> int {
    if (machine.is_capturing()) return CAPTURE_UNSUPPORTED;
    return act(fault);
  });
}
