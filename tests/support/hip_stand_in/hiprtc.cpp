// A stand-in of HIP's compiler at run time (libhiprtc): g++ makes a library of a module's source. HIP_STAND_IN_HEADER
// is the path of device.hpp.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace {

enum { SUCCESS = 0, COMPILATION = 6, INTERNAL = 11 };

struct Program {
  std::string source, code, log;
};

std::string in_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void into_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string quoted(const std::string& word) { return "'" + word + "'"; }

std::size_t past(const std::string& text, std::size_t at, const char* word) {
  at = text.find_first_not_of(" \t\n", at);
  return text.compare(at, std::strlen(word), word) == 0 ? at + std::strlen(word) : at;
}

// What goes behind a source: how each of its kernels is called. Before a kernel's name may stand __launch_bounds__(n).
std::string calls_of(const std::string& source) {
  static const char *mark = "__global__", *bounds = "__launch_bounds__";
  std::string calls = "\n";
  for (std::size_t at = source.find(mark); at != std::string::npos; at = source.find(mark, at)) {
    at = past(source, past(source, at, mark), "void");
    const std::size_t bounded = past(source, at, bounds);
    if (source.compare(bounded - std::strlen(bounds), std::strlen(bounds), bounds) == 0)
      at = source.find(')', bounded) + 1;
    at = source.find_first_not_of(" \t\n", at);
    calls += "STAND_IN_KERNEL(" + source.substr(at, source.find_first_of(" \t\n(", at) - at) + ")\n";
  }
  return calls;
}

// g++ takes of the options what it knows; the others are about AMD's machine.
std::string options_of(int count, const char** options) {
  std::string taken;
  for (int index = 0; index < count; ++index) {
    const std::string option = options[index];
    if (option.rfind("-std=", 0) == 0 || option.rfind("-D", 0) == 0 || option.rfind("-I", 0) == 0)
      taken += " " + quoted(option);
  }
  return taken;
}

int compile(Program& program, const std::string& options) {
  const char *header = std::getenv("HIP_STAND_IN_HEADER"), *temporary = std::getenv("TMPDIR");
  if (header == nullptr) return INTERNAL;
  std::string folder = std::string(temporary != nullptr ? temporary : "/tmp") + "/hiprtcXXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return INTERNAL;
  into_file(folder + "/module.cpp", program.source + calls_of(program.source));
  const std::string command = "cd " + quoted(folder) + " && g++ -O2 -ffp-contract=off -w -shared -fPIC -s"
      " -fvisibility=hidden -Wl,-Bsymbolic" + options + " -include " + quoted(header) +
      " -o module.so module.cpp > log 2>&1";
  const bool is_made = std::system(command.c_str()) == 0;
  program.log = in_file(folder + "/log");
  if (is_made) {
    const std::string made = in_file(folder + "/module.so");
    const std::uint64_t size = made.size();  // an image has to tell its own: hipModuleLoadData is given none
    program.code = "HIPSTAND" + std::string(reinterpret_cast<const char*>(&size), sizeof size) + made;
  }
  std::system(("rm -r " + quoted(folder)).c_str());
  return is_made ? SUCCESS : COMPILATION;
}

void copied(const std::string& text, char* to, bool is_text) {
  std::memcpy(to, text.data(), text.size());
  if (is_text) to[text.size()] = '\0';
}

}  // namespace

extern "C" {

const char* hiprtcGetErrorString(int error) {
  if (error == SUCCESS) return "HIPRTC_SUCCESS";
  return error == COMPILATION ? "HIPRTC_ERROR_COMPILATION" : "HIPRTC_ERROR_INTERNAL_ERROR";
}

int hiprtcVersion(int* major, int* minor) {
  *major = 7, *minor = 0;
  return SUCCESS;
}

int hiprtcCreateProgram(Program** program, const char* source, const char*, int, const char**, const char**) {
  *program = new Program{source, "", ""};
  return SUCCESS;
}

int hiprtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return SUCCESS;
}

int hiprtcCompileProgram(Program* program, int count, const char** options) {
  return compile(*program, options_of(count, options));
}

int hiprtcGetCodeSize(Program* program, std::size_t* size) {
  *size = program->code.size();
  return SUCCESS;
}

int hiprtcGetCode(Program* program, char* code) {
  copied(program->code, code, false);
  return SUCCESS;
}

int hiprtcGetProgramLogSize(Program* program, std::size_t* size) {
  *size = program->log.size() + 1;
  return SUCCESS;
}

int hiprtcGetProgramLog(Program* program, char* log) {
  copied(program->log, log, true);
  return SUCCESS;
}

}  // extern "C"
