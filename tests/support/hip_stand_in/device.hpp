// The words of HIP's kernels for g++: it goes before a module's source, and what is behind it makes each kernel
// callable. The threads of a block are run by `barrier` of the runtime, one after the other up to each barrier.
#include <cstring>
#include <tuple>
#include <utility>

#define __HIPCC__ 1
#define __HIPCC_RTC__ 1
#define __HIP_PLATFORM_AMD__ 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after the other

struct Place { unsigned x, y, z; };
extern "C" {
__attribute__((visibility("default"))) Place stand_in_places[4];
__attribute__((visibility("default"))) void (*stand_in_barrier)();
}
#define threadIdx stand_in_places[0]
#define blockIdx stand_in_places[1]
#define blockDim stand_in_places[2]
#define gridDim stand_in_places[3]
static inline void __syncthreads() { stand_in_barrier(); }
static inline void __threadfence() {}
static inline long long clock64() { return (long long)__builtin_ia32_rdtsc(); }

struct alignas(16) double2 { double x, y; };
struct alignas(16) ulonglong2 { unsigned long long x, y; };
static inline double2 make_double2(double x, double y) { return {x, y}; }
template <class To, class From> static inline To stand_in_bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline long long __double_as_longlong(double value) { return stand_in_bits<long long>(value); }
static inline double __longlong_as_double(long long value) { return stand_in_bits<double>(value); }

// One thread at a time: each is a plain read and a plain write.
template <class T, class Change> static inline T stand_in_changed(T* at, Change change) {
  T before = *at;
  *at = change(before);
  return before;
}
typedef unsigned long long stand_in_word;
static inline stand_in_word atomicAdd(stand_in_word* at, stand_in_word by) {
  return stand_in_changed(at, [=](stand_in_word seen) { return seen + by; });
}
static inline stand_in_word atomicXor(stand_in_word* at, stand_in_word by) {
  return stand_in_changed(at, [=](stand_in_word seen) { return seen ^ by; });
}
static inline stand_in_word atomicMin(stand_in_word* at, stand_in_word by) {
  return stand_in_changed(at, [=](stand_in_word seen) { return seen < by ? seen : by; });
}
static inline stand_in_word atomicExch(stand_in_word* at, stand_in_word to) {
  return stand_in_changed(at, [=](stand_in_word) { return to; });
}
static inline stand_in_word atomicCAS(stand_in_word* at, stand_in_word of, stand_in_word to) {
  return stand_in_changed(at, [=](stand_in_word seen) { return seen == of ? to : seen; });
}

// A launch is queued with a copy of its arguments, whose types are the kernel's own.
template <class... Types, std::size_t... Index>
static void* stand_in_packed(void (*)(Types...), void** given, std::index_sequence<Index...>) {
  return new std::tuple<Types...>{*static_cast<Types*>(given[Index])...};
}
template <class... Types> static void* stand_in_packed(void (*kernel)(Types...), void** given) {
  return stand_in_packed(kernel, given, std::index_sequence_for<Types...>{});
}
template <class... Types> static void stand_in_called(void (*kernel)(Types...), void* packed) {
  std::apply(kernel, *static_cast<std::tuple<Types...>*>(packed));
}
template <class... Types> static void stand_in_freed(void (*)(Types...), void* packed) {
  delete static_cast<std::tuple<Types...>*>(packed);
}
#define STAND_IN_SHOWN extern "C" __attribute__((visibility("default")))
#define STAND_IN_KERNEL(name)                                                                         \
  STAND_IN_SHOWN void* stand_in_pack_##name(void** given) { return stand_in_packed(name, given); }    \
  STAND_IN_SHOWN void stand_in_call_##name(void* packed) { stand_in_called(name, packed); }           \
  STAND_IN_SHOWN void stand_in_free_##name(void* packed) { stand_in_freed(name, packed); }
