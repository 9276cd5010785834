// The memory of devices and page-locked memory of the host, and what copies and sets. It lies between pages that nobody
// may touch, and holds no zeros at first.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "calls.hpp"

namespace {

constexpr std::size_t ALIGNMENT = 256, CUT_BYTES = 16;
enum Kind { HOST_TO_HOST, HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE };

int take(void** at, std::size_t size_bytes, int device) {
  if (device != HOST && size_bytes > machine.free_bytes(device)) return OUT_OF_MEMORY;
  const std::size_t page = sysconf(_SC_PAGESIZE), used = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  const std::size_t inner = (used + page - 1) / page * page, all = inner + 2 * page;
  char* mapped = static_cast<char*>(mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapped == MAP_FAILED) return OUT_OF_MEMORY;
  mprotect(mapped + page, inner, PROT_READ | PROT_WRITE);
  std::memset(mapped + page, 0xCD, inner);
  char* start = mapped + page + inner - used;  // its end is the end of the page
  machine.memories[start] = {size_bytes, device, mapped, all};
  *at = start;
  return SUCCESS;
}

int give_back(void* at) {
  if (at == nullptr) return SUCCESS;
  const auto found = machine.memories.find(static_cast<const char*>(at));
  if (found == machine.memories.end()) return INVALID_VALUE;
  for (int device = 0; device < machine.count; ++device) machine.finish(device);
  munmap(found->second.mapped, found->second.mapped_bytes);
  machine.memories.erase(found);
  return SUCCESS;
}

// Whether memory is a device's, or, for HOST, page-locked or none of ours.
bool is_on(const void* at, std::size_t size_bytes, int device) {
  const Memory* memory = machine.memory_at(at, size_bytes);
  if (memory == nullptr) return device == HOST && machine.memory_at(at, 0) == nullptr;
  return memory->device == device;
}

// Return what writes some bytes, with a planted fault in it.
Act writing(const std::string& fault, void* to, std::size_t size_bytes, const std::function<void(std::size_t)>& write) {
  if (fault == "skip") return [] {};
  const std::size_t cut = fault == "short" ? std::min(CUT_BYTES, size_bytes) : 0;
  const bool is_flipped = fault == "flip";
  return [=] {
    write(size_bytes - cut);
    if (is_flipped) static_cast<char*>(to)[size_bytes / 4 * 3] ^= 1;
  };
}

Act copying(const std::string& fault, void* to, const void* from, std::size_t size_bytes) {
  return writing(fault, to, size_bytes, [=](std::size_t bytes) { std::memmove(to, from, bytes); });
}

Act setting(const std::string& fault, void* to, int value, std::size_t size_bytes) {
  return writing(fault, to, size_bytes, [=](std::size_t bytes) { std::memset(to, value, bytes); });
}

bool is_copy(void* to, const void* from, std::size_t size_bytes, int kind) {
  const int target = kind == HOST_TO_DEVICE || kind == DEVICE_TO_DEVICE ? current : HOST;
  const int source = kind == DEVICE_TO_HOST || kind == DEVICE_TO_DEVICE ? current : HOST;
  return is_on(to, size_bytes, target) && is_on(from, size_bytes, source);
}

}  // namespace

extern "C" {

int hipMalloc(void** at, std::size_t size_bytes) {
  return uncaptured("hipMalloc", [&](const std::string&) -> int { return take(at, size_bytes, current); });
}
int hipHostMalloc(void** at, std::size_t size_bytes, unsigned) {
  return uncaptured("hipHostMalloc", [&](const std::string&) -> int { return take(at, size_bytes, HOST); });
}
int hipFree(void* at) {
  return call("hipFree", [&](const std::string&) -> int { return give_back(at); });
}
int hipHostFree(void* at) {
  return call("hipHostFree", [&](const std::string&) -> int { return give_back(at); });
}

int hipMemGetInfo(std::size_t* free, std::size_t* total) {
  return call("hipMemGetInfo", [&](const std::string&) -> int {
    *free = machine.free_bytes(current), *total = machine.memory_bytes;
    return SUCCESS;
  });
}

int hipMemcpy(void* to, const void* from, std::size_t size_bytes, int kind) {
  return uncaptured("hipMemcpy", [&](const std::string& fault) -> int {
    if (!is_copy(to, from, size_bytes, kind)) return INVALID_VALUE;
    return queue(nullptr, copying(fault, to, from, size_bytes));
  });
}

int hipMemcpyAsync(void* to, const void* from, std::size_t size_bytes, int kind, Stream* stream) {
  return on_stream("hipMemcpyAsync", stream, [&](const std::string& fault) -> int {
    if (!is_copy(to, from, size_bytes, kind)) return INVALID_VALUE;
    return queue(stream, copying(fault, to, from, size_bytes));
  });
}

int hipMemcpyPeerAsync(void* to, int target, const void* from, int source, std::size_t size_bytes, Stream* stream) {
  return on_stream("hipMemcpyPeerAsync", stream, [&](const std::string& fault) -> int {
    if (!is_on(to, size_bytes, target) || !is_on(from, size_bytes, source)) return INVALID_VALUE;
    return queue(stream, copying(fault, to, from, size_bytes));
  });
}

int hipMemsetAsync(void* to, int value, std::size_t size_bytes, Stream* stream) {
  return on_stream("hipMemsetAsync", stream, [&](const std::string& fault) -> int {
    if (!is_on(to, size_bytes, current)) return INVALID_VALUE;
    return queue(stream, setting(fault, to, value, size_bytes));
  });
}

}  // extern "C"
