// Modules of kernels that hiprtc.cpp made: an image is loaded as a library, a launch calls each thread of each block.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <set>

#include "calls.hpp"
#include "threads.hpp"

namespace {

constexpr unsigned MOST_THREADS = 1024;
Block block;

struct Kernel {
  std::string name;
  Place* places;
  void* (*pack)(void**);
  void (*call)(void*);
  void (*free)(void*);
  std::set<int> is_on;  // devices
};

struct Module {
  void* code;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
};

// An image is a word, its size and a library: see hiprtc.cpp. Its file stays open: of a name that comes again dlopen
// would return the library before.
void* opened(const char* image) {
  std::uint64_t size;
  if (std::memcmp(image, "HIPSTAND", 8) != 0) return nullptr;
  std::memcpy(&size, image + 8, sizeof size);
  const int file = memfd_create("module", 0);
  if (write(file, image + 16, size) != static_cast<ssize_t>(size)) return nullptr;
  return dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
}

void barrier() { block.wait(); }

int load(Module** module, const char* image) {
  void* library = opened(image);
  if (library == nullptr) return INVALID_IMAGE;
  *reinterpret_cast<void (**)()>(dlsym(library, "stand_in_barrier")) = barrier;
  *module = new Module{library, {}};
  return SUCCESS;
}

Kernel* found(Module& module, const std::string& name) {
  auto& kernel = module.kernels[name];
  if (!kernel) {
    void* const pack = dlsym(module.code, ("stand_in_pack_" + name).c_str());
    if (pack == nullptr) return nullptr;
    kernel = std::make_unique<Kernel>(Kernel{
        name, static_cast<Place*>(dlsym(module.code, "stand_in_places")), reinterpret_cast<void* (*)(void**)>(pack),
        reinterpret_cast<void (*)(void*)>(dlsym(module.code, ("stand_in_call_" + name).c_str())),
        reinterpret_cast<void (*)(void*)>(dlsym(module.code, ("stand_in_free_" + name).c_str())), {}});
  }
  return kernel.get();
}

void run(Kernel& kernel, void* packed, unsigned blocks, unsigned threads) {
  kernel.places[2] = {threads, 1, 1};
  kernel.places[3] = {blocks, 1, 1};
  for (unsigned index = 0; index < blocks; ++index) {
    kernel.places[1] = {index, 0, 0};
    block.run(kernel.call, packed, threads, kernel.places);
  }
}

int launch(Kernel* kernel, const unsigned (&sizes)[6], Stream* stream, void** given) {
  const unsigned blocks = sizes[0], threads = sizes[3];
  const bool is_line = sizes[1] * sizes[2] * sizes[4] * sizes[5] == 1;
  if (!is_line || blocks == 0 || threads == 0 || threads > MOST_THREADS) return INVALID_VALUE;
  const std::string fault = machine.fault_of(kernel->name);
  if (!fault.empty() && std::isdigit(fault[0])) return std::stoi(fault);
  if (fault == "skip") return SUCCESS;
  const std::shared_ptr<void> packed(kernel->pack(given), kernel->free);
  const int device = current;
  return queue(stream, [=] {
    machine.firsts += kernel->is_on.insert(device).second;
    run(*kernel, packed.get(), blocks, threads);
  });
}

}  // namespace

extern "C" {

int hipModuleLoadData(Module** module, const char* image) {
  return uncaptured("hipModuleLoadData", [&](const std::string&) -> int { return load(module, image); });
}
int hipModuleUnload(Module*) { return SUCCESS; }  // what is still queued may need it
int hipModuleGetFunction(Kernel** kernel, Module* module, const char* name) {
  return call("hipModuleGetFunction", [&](const std::string&) -> int {
    *kernel = found(*module, name);
    return *kernel != nullptr ? SUCCESS : NOT_FOUND;
  });
}

int hipModuleLaunchKernel(Kernel* kernel, unsigned blocks, unsigned blocks_y, unsigned blocks_z, unsigned threads,
                          unsigned threads_y, unsigned threads_z, unsigned, Stream* stream, void** given, void**) {
  return on_stream("hipModuleLaunchKernel", stream, [&](const std::string&) -> int {
    return launch(kernel, {blocks, blocks_y, blocks_z, threads, threads_y, threads_z}, stream, given);
  });
}

}  // extern "C"
