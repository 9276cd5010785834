// A stand-in of HIP's runtime (libamdhip64) without a GPU: the calls that CuPy for ROCm links, done by the processor.
//
// What is queued runs as late as it can, when something waits for it, or with HIP_STAND_IN_EAGER=1 as early as it can:
// what holds either way needs no luck. The environment sets HIP_STAND_IN_DEVICES, HIP_STAND_IN_MIB of each, and
// HIP_STAND_IN_FAULTS (see `Fault`). Here are the devices, streams, events and graphs.
#include <cstdio>
#include <cstring>

#include "calls.hpp"

namespace {

const std::map<int, const char*> ERRORS = {
    {SUCCESS, "hipSuccess"}, {INVALID_VALUE, "hipErrorInvalidValue"}, {OUT_OF_MEMORY, "hipErrorOutOfMemory"},
    {NO_DEVICE, "hipErrorNoDevice"}, {INVALID_DEVICE, "hipErrorInvalidDevice"},
    {INVALID_IMAGE, "hipErrorInvalidImage"}, {INVALID_HANDLE, "hipErrorInvalidHandle"},
    {NOT_FOUND, "hipErrorNotFound"}, {NOT_READY, "hipErrorNotReady"}, {PEER_ON, "hipErrorPeerAccessAlreadyEnabled"},
    {PEER_OFF, "hipErrorPeerAccessNotEnabled"}, {LAUNCH_FAILURE, "hipErrorLaunchFailure"},
    {NOT_SUPPORTED, "hipErrorNotSupported"}, {CAPTURE_UNSUPPORTED, "hipErrorStreamCaptureUnsupported"},
    {CAPTURE_INVALIDATED, "hipErrorStreamCaptureInvalidated"}, {UNKNOWN, "hipErrorUnknown"}};
// By the numbers of hipDeviceAttribute_t in ROCm 7.0; those that CuPy 14.2 gives them are of ROCm 3.
const std::map<int, int> ATTRIBUTES = {
    {0, 1},            // EccEnabled
    {19, 4 << 20},     // L2CacheSize
    {23, 9}, {61, 4},  // ComputeCapabilityMajor and Minor
    {59, 8192},        // MemoryBusWidth
    {60, 1'300'000},   // MemoryClockRate
    {63, 4},           // MultiprocessorCount
    {66, 0},           // PageableMemoryAccessUsesHostPageTables
    {87, 64}};         // WarpSize
// By their offsets in hipDeviceProp_tR0600.
const std::map<int, int> PROPERTIES = {
    {308, 64},           // warpSize
    {360, 9}, {364, 4},  // major and minor
    {388, 4},            // multiProcessorCount
    {580, 1},            // ECCEnabled
    {608, 1'300'000},    // memoryClockRate
    {612, 8192},         // memoryBusWidth
    {616, 4 << 20},      // l2CacheSize
    {704, 0}};           // pageableMemoryAccessUsesHostPageTables
constexpr std::size_t PROPERTIES_BYTES = 1472, MEMORY_AT = 288, ARCHITECTURE_AT = 1160;
constexpr int VERSION = 70'051'831;

bool is_device(int device) { return device >= 0 && device < machine.count; }

int make_stream(Stream** stream) {
  return call("hipStreamCreate", [&](const std::string&) -> int {
    machine.streams.push_back(std::make_unique<Stream>(Stream{current, {}, 0, 0, nullptr, false}));
    *stream = machine.streams.back().get();
    return SUCCESS;
  });
}

}  // namespace

extern "C" {

// --- what a test asks of the stand-in itself

void stand_in_plan(const char* faults) { machine.plan(faults); }
long stand_in_calls(const char* name) { return machine.called(name); }
long stand_in_timed_firsts() { return machine.timed_firsts; }

// --- errors and devices

const char* hipGetErrorName(int status) {
  const auto known = ERRORS.find(status);
  return known == ERRORS.end() ? "hipErrorOther" : known->second;
}
const char* hipGetErrorString(int status) { return status == SUCCESS ? "no error" : "as the stand-in has it"; }
int hipGetLastError() { return std::exchange(machine.last, SUCCESS); }
int hipPeekAtLastError() { return machine.last; }

int hipGetDeviceCount(int* count) {
  return call("hipGetDeviceCount", [&](const std::string&) -> int {
    *count = machine.count;
    return machine.count != 0 ? SUCCESS : NO_DEVICE;
  });
}
int hipDriverGetVersion(int* version) { return *version = VERSION, SUCCESS; }
int hipRuntimeGetVersion(int* version) { return *version = VERSION, SUCCESS; }
int hipGetDevice(int* device) { return *device = current, SUCCESS; }
int hipSetDevice(int device) { return is_device(device) ? (current = device, SUCCESS) : INVALID_DEVICE; }

int hipDeviceGetAttribute(int* value, int which, int device) {
  return call("hipDeviceGetAttribute", [&](const std::string&) -> int {
    const auto known = ATTRIBUTES.find(which);
    if (!is_device(device)) return INVALID_DEVICE;
    if (known == ATTRIBUTES.end()) return INVALID_VALUE;
    *value = known->second;
    return SUCCESS;
  });
}

int hipDeviceGetPCIBusId(char* address, int size, int device) {
  if (!is_device(device)) return INVALID_DEVICE;
  std::snprintf(address, size, "0000:%02x:00.0", 3 + 128 * device);
  return SUCCESS;
}

int hipGetDevicePropertiesR0600(char* properties, int device) {
  if (!is_device(device)) return INVALID_DEVICE;
  std::memset(properties, 0, PROPERTIES_BYTES);
  std::strcpy(properties, "Stand-in of HIP");
  std::strcpy(properties + ARCHITECTURE_AT, "gfx942:sramecc+:xnack-");
  std::memcpy(properties + MEMORY_AT, &machine.memory_bytes, sizeof machine.memory_bytes);
  for (const auto& [offset, value] : PROPERTIES) std::memcpy(properties + offset, &value, sizeof value);
  return SUCCESS;
}

int hipDeviceSynchronize() {
  return uncaptured("hipDeviceSynchronize", [&](const std::string&) -> int {
    machine.finish(current);
    return SUCCESS;
  });
}

int hipDeviceCanAccessPeer(int* can, int device, int peer) {
  if (!is_device(device) || !is_device(peer)) return INVALID_DEVICE;
  return *can = device != peer, SUCCESS;
}

int hipDeviceEnablePeerAccess(int peer, unsigned) {
  return call("hipDeviceEnablePeerAccess", [&](const std::string&) -> int {
    return std::exchange(machine.peers[{current, peer}], true) ? PEER_ON : SUCCESS;
  });
}

int hipDeviceDisablePeerAccess(int peer) {
  return call("hipDeviceDisablePeerAccess", [&](const std::string&) -> int {
    return std::exchange(machine.peers[{current, peer}], false) ? SUCCESS : PEER_OFF;
  });
}

// --- streams and events

int hipStreamCreate(Stream** stream) { return make_stream(stream); }
int hipStreamCreateWithFlags(Stream** stream, unsigned) { return make_stream(stream); }
int hipStreamCreateWithPriority(Stream** stream, unsigned, int) { return make_stream(stream); }

int hipStreamDestroy(Stream* stream) {
  return call("hipStreamDestroy", [&](const std::string&) -> int { return stream->run_to(stream->added), SUCCESS; });
}
int hipStreamQuery(Stream* stream) {
  return call("hipStreamQuery", [&](const std::string&) -> int {
    if (stream == nullptr || stream->done == stream->added) return SUCCESS;
    stream->run_to(stream->done + 1);
    return NOT_READY;
  });
}
int hipStreamSynchronize(Stream* stream) {
  return call("hipStreamSynchronize", [&](const std::string&) -> int {
    if (stream != nullptr && stream->captured) return stream->is_invalid = true, CAPTURE_UNSUPPORTED;
    if (stream != nullptr) stream->run_to(stream->added);
    return SUCCESS;
  });
}

int hipEventCreateWithFlags(Event** event, unsigned flags) {
  constexpr unsigned untimed = 2;
  return call("hipEventCreate", [&](const std::string&) -> int {
    *event = new Event{current, (flags & untimed) == 0, std::make_shared<Mark>()};
    return SUCCESS;
  });
}
int hipEventCreate(Event** event) { return hipEventCreateWithFlags(event, 0); }
int hipEventDestroy(Event* event) {
  return call("hipEventDestroy", [&](const std::string&) -> int { return delete event, SUCCESS; });
}

int hipEventRecord(Event* event, Stream* stream) {
  return on_stream("hipEventRecord", stream, [&](const std::string&) -> int {
    if (event->device != current) return INVALID_HANDLE;
    if (stream != nullptr && stream->captured) return CAPTURE_UNSUPPORTED;
    const auto mark = event->mark = std::make_shared<Mark>();
    mark->on = stream, mark->place = stream != nullptr ? stream->added + 1 : 0;
    return queue(stream, [mark] { mark->is_passed = true, mark->seconds = now_s(), mark->firsts = machine.firsts; });
  });
}

int hipEventSynchronize(Event* event) {
  return uncaptured("hipEventSynchronize", [&](const std::string&) -> int {
    if (event->mark->on != nullptr) event->mark->on->run_to(event->mark->place);
    return SUCCESS;
  });
}

int hipEventQuery(Event* event) {
  return call("hipEventQuery", [&](const std::string&) -> int {
    if (event->mark->is_passed || event->mark->on == nullptr) return SUCCESS;
    event->mark->on->run_to(event->mark->place);  // so that it is ready when it is asked again
    return NOT_READY;
  });
}

int hipStreamWaitEvent(Stream* stream, Event* event, unsigned) {
  return on_stream("hipStreamWaitEvent", stream, [&](const std::string&) -> int {
    const auto mark = event->mark;
    return queue(stream, [mark] { if (mark->on != nullptr) mark->on->run_to(mark->place); });
  });
}

int hipEventElapsedTime(float* ms, Event* begin, Event* end) {
  return call("hipEventElapsedTime", [&](const std::string&) -> int {
    if (begin->device != end->device || !begin->is_timed || !end->is_timed) return INVALID_HANDLE;
    if (!begin->mark->is_passed || !end->mark->is_passed) return NOT_READY;
    *ms = static_cast<float>((end->mark->seconds - begin->mark->seconds) * 1000);
    machine.timed_firsts += end->mark->firsts - begin->mark->firsts;
    return SUCCESS;
  });
}

// --- graphs

int hipStreamBeginCapture(Stream* stream, int) {
  return call("hipStreamBeginCapture", [&](const std::string&) -> int {
    stream->captured = std::make_shared<Graph>(), stream->is_invalid = false;
    return SUCCESS;
  });
}

int hipStreamEndCapture(Stream* stream, std::shared_ptr<Graph>** graph) {
  return call("hipStreamEndCapture", [&](const std::string&) -> int {
    const auto captured = std::exchange(stream->captured, nullptr);
    *graph = stream->is_invalid ? nullptr : new std::shared_ptr<Graph>(captured);
    return stream->is_invalid ? CAPTURE_INVALIDATED : SUCCESS;
  });
}

int hipStreamIsCapturing(Stream* stream, int* status) {
  const bool is_captured = stream != nullptr && stream->captured;
  return *status = is_captured ? 1 + stream->is_invalid : 0, SUCCESS;
}

int hipGraphInstantiate(std::shared_ptr<Graph>** made, std::shared_ptr<Graph>* graph, void*, char*, std::size_t) {
  return call("hipGraphInstantiate", [&](const std::string&) -> int {
    *made = new std::shared_ptr<Graph>(std::make_shared<Graph>(**graph));
    return SUCCESS;
  });
}

int hipGraphLaunch(std::shared_ptr<Graph>* made, Stream* stream) {
  return on_stream("hipGraphLaunch", stream, [&](const std::string&) -> int {
    return queue(stream, [graph = *made] {
      machine.firsts += !std::exchange(graph->is_there, true);
      for (const Act& act : graph->acts) act();
    });
  });
}
int hipGraphDestroy(std::shared_ptr<Graph>* graph) { return delete graph, SUCCESS; }
int hipGraphExecDestroy(std::shared_ptr<Graph>* made) { return delete made, SUCCESS; }

// --- what CuPy's libraries say as they are loaded, and what they link and is not there

void** __hipRegisterFatBinary(const void*) { static void* binary; return &binary; }
void __hipUnregisterFatBinary(void**) {}
void __hipRegisterFunction() {}
int roctracer_start() { return SUCCESS; }
int roctracer_stop() { return SUCCESS; }
void roctxMarkA(const char*) {}
int roctxRangePushA(const char*) { return 0; }
int roctxRangePop() { return 0; }

#define IS_NOT_HERE(name) int name() { return NOT_SUPPORTED; }
IS_NOT_HERE(__hipPopCallConfiguration) IS_NOT_HERE(__hipPushCallConfiguration) IS_NOT_HERE(hipCreateSurfaceObject)
IS_NOT_HERE(hipDestroySurfaceObject) IS_NOT_HERE(hipDeviceGetByPCIBusId) IS_NOT_HERE(hipDeviceGetLimit)
IS_NOT_HERE(hipFuncGetAttribute) IS_NOT_HERE(hipGetStreamDeviceId) IS_NOT_HERE(hipGraphDebugDotPrint)
IS_NOT_HERE(hipIpcCloseMemHandle) IS_NOT_HERE(hipIpcGetMemHandle) IS_NOT_HERE(hipIpcOpenMemHandle)
IS_NOT_HERE(hipLaunchHostFunc) IS_NOT_HERE(hipLaunchKernel) IS_NOT_HERE(hipMallocManaged) IS_NOT_HERE(hipMemAdvise)
IS_NOT_HERE(hipMemPrefetchAsync) IS_NOT_HERE(hipMemcpyPeer) IS_NOT_HERE(hipMemset) IS_NOT_HERE(hipModuleGetGlobal)
IS_NOT_HERE(hipModuleLoad) IS_NOT_HERE(hipOccupancyMaxActiveBlocksPerMultiprocessor)
IS_NOT_HERE(hipOccupancyMaxPotentialBlockSize) IS_NOT_HERE(hipPointerGetAttributes) IS_NOT_HERE(hipStreamAddCallback)
IS_NOT_HERE(hipStreamGetCaptureInfo) IS_NOT_HERE(hipStreamGetCaptureInfo_v2) IS_NOT_HERE(hipStreamGetFlags)
IS_NOT_HERE(hipStreamGetPriority)

}  // extern "C"
