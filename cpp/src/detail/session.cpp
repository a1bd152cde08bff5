// SPDX-License-Identifier: Apache-2.0
#include "detail/session.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>
#include <unordered_map>

#include "detail/failure.hpp"
#include "detail/manifest_checks.hpp"
#include "detail/names.hpp"
#include "detail/placement.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

using Release = std::tuple<int, int, int>;
constexpr Release kOldest{1, 24, 1};  // before it, no graph takes its weights from memory
constexpr int kMostThreads = 1024;
constexpr std::size_t kMostElements = std::size_t{1} << 29;  // of float64 they are four gigabytes

// The names that users type, with ONNX Runtime's own, as in the Python runtime.
constexpr std::pair<const char*, const char*> kShortNames[] = {
    {"cpu", kCpu},
    {"cuda", kCuda},
    {"tensorrt", kTensorrt},
    {"openvino", "OpenVINOExecutionProvider"},
    {"qnn", "QNNExecutionProvider"},
    {"coreml", "CoreMLExecutionProvider"},
    {"directml", "DmlExecutionProvider"},
    {"xnnpack", "XnnpackExecutionProvider"},
};

Release ort_release() {
  int major = 0, minor = 0, patch = 0;
  std::sscanf(OrtGetApiBase()->GetVersionString(), "%d.%d.%d", &major, &minor, &patch);
  return {major, minor, patch};
}

// The message of ONNX Runtime's in one line.
std::string one_line(const char* message) {
  std::string line;
  for (const char* each = message; *each != '\0'; ++each) {
    const bool is_space = *each == ' ' || *each == '\n' || *each == '\t' || *each == '\r';
    if (!is_space) line += *each;
    if (is_space && !line.empty() && line.back() != ' ') line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return printable(line);
}

Ort::Env& environment() {
  static Ort::Env env = [] {
    // Read when the environment is made; a value of the user's own is kept.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    return Ort::Env(ORT_LOGGING_LEVEL_FATAL, "lsood");
  }();
  return env;
}

using Options = std::unordered_map<std::string, std::string>;

// Options of CUDA or TensorRT, whose interfaces differ in names alone.
template <typename Handle>
void append_nvidia(OrtStatus* (*create)(Handle**), OrtStatus* (*update)(Handle*, const char* const*, const char* const*, size_t),
                   OrtStatus* (*append)(OrtSessionOptions*, const Handle*), void (*release)(Handle*), const Options& given,
                   Ort::SessionOptions& session) {
  Handle* made = nullptr;
  Ort::ThrowOnError(create(&made));
  const std::unique_ptr<Handle, void (*)(Handle*)> handle(made, release);
  std::vector<const char*> names, values;
  for (const auto& [name, value] : given) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  Ort::ThrowOnError(update(made, names.data(), values.data(), names.size()));
  Ort::ThrowOnError(append(session, made));
}

void append_provider(const std::string& provider, const Options& given, Ort::SessionOptions& session) {
  const OrtApi& api = Ort::GetApi();
  if (provider == kCpu) return;
  if (provider == kCuda) {
    append_nvidia<OrtCUDAProviderOptionsV2>(api.CreateCUDAProviderOptions, api.UpdateCUDAProviderOptions,
                                            api.SessionOptionsAppendExecutionProvider_CUDA_V2,
                                            api.ReleaseCUDAProviderOptions, given, session);
  } else if (provider == kTensorrt) {
    append_nvidia<OrtTensorRTProviderOptionsV2>(api.CreateTensorRTProviderOptions, api.UpdateTensorRTProviderOptions,
                                                api.SessionOptionsAppendExecutionProvider_TensorRT_V2,
                                                api.ReleaseTensorRTProviderOptions, given, session);
    const auto device = given.find("device_id");
    append_provider(kCuda, device == given.end() ? Options{} : Options{*device}, session);
  } else {
    session.AppendExecutionProvider(provider, given);
  }
}

// The options of a provider by name. ONNX Runtime would leave those of the CPU, and the second of two, out without a word.
Options checked_options(const std::string& provider, const std::vector<std::pair<std::string, std::string>>& given) {
  Options found;
  for (const auto& [name, value] : given) {
    if (provider == kCpu) {
      fail(ErrorCode::provider, "expected " + provider + " without options, of which it has none, got " + name + "=" + value +
                                    ": leave them out");
    }
    if (!found.emplace(name, value).second) {
      fail(ErrorCode::provider, "expected each option once, got " + name + " twice: keep one of them");
    }
  }
  return found;
}

// The provider, and where that is TensorRT the one behind it: TensorRT knows no float64, the detector runs on CUDA.
std::vector<std::string> named_providers(const std::string& provider) {
  if (provider == kTensorrt) return {kTensorrt, kCuda};
  return {provider};
}

// The options that the Python runtime gives its sessions too, so that both compute the same to the last bit.
Ort::SessionOptions session_options(const MonitorOptions& options) {
  Ort::SessionOptions session;
  session.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  session.SetIntraOpNumThreads(options.threads);
  // Idle threads that spin take the cores from the other session, and from the rest of the vehicle's stack.
  session.AddConfigEntry("session.intra_op.allow_spinning", "0");
  // A file that the graph itself names would escape the bundle's digests: no such file is ever found on the disk.
  session.AddConfigEntry("session.model_external_initializers_file_folder_path", "/dev/null");
  session.AddConfigEntry(kRecordPlacement, "1");
  std::string faulty;
  const Release release = ort_release();
  if (release < Release{1, 26, 0}) faulty = "MatmulTransposeFusion";
  if (release < Release{1, 27, 0}) faulty += (faulty.empty() ? "" : ";") + std::string("QDQSelectorActionTransformer");
  if (!faulty.empty()) session.AddConfigEntry("optimization.disable_specified_optimizers", faulty.c_str());
  return session;
}

void check_ort() {
  if (ort_release() >= kOldest && OrtGetApiBase()->GetApi(ORT_API_VERSION) != nullptr) return;
  fail(ErrorCode::provider, std::string("expected ONNX Runtime 1.24.1 or newer, got ") + OrtGetApiBase()->GetVersionString() +
                                ": link and load a newer library");
}

ONNXTensorElementDataType ort_type(Element type) {
  return type == Element::uint8     ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8
         : type == Element::float32 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
                                    : ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
}

// Whether type and rank agree, and each size behind the batch that the graph states.
bool fits(const Ort::TypeInfo& info, const TensorForm& wanted) {
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) return false;
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  const Shape shape = tensor.GetShape();
  if (tensor.GetElementType() != ort_type(wanted.type) || shape.size() != wanted.shape.size() + 1) return false;
  for (std::size_t i = 0; i < wanted.shape.size(); ++i) {
    if (shape[i + 1] >= 0 && shape[i + 1] != wanted.shape[i]) return false;
  }
  return true;
}

void check_side(const Ort::Session& session, const std::string& graph, bool of_inputs, const Signature& wanted) {
  Ort::AllocatorWithDefaultOptions allocator;
  const std::size_t count = of_inputs ? session.GetInputCount() : session.GetOutputCount();
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = of_inputs ? session.GetInputNameAllocated(i, allocator) : session.GetOutputNameAllocated(i, allocator);
    const auto form = std::find_if(wanted.begin(), wanted.end(), [&name](const TensorForm& each) { return each.name == name.get(); });
    if (form != wanted.end() && fits(of_inputs ? session.GetInputTypeInfo(i) : session.GetOutputTypeInfo(i), *form)) ++found;
  }
  if (found == wanted.size() && count == wanted.size()) return;
  std::string names;
  for (const TensorForm& form : wanted) names += (names.empty() ? "" : ", ") + form.name + " " + shown(form.shape);
  fail(ErrorCode::bundle, "expected " + graph + " with the " + (of_inputs ? "inputs " : "outputs ") + names +
                              " behind the batch, got others: export the bundle again");
}

}  // namespace

std::size_t TensorForm::elements() const {
  std::size_t count = 1;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(size), &count) || count > kMostElements) {
      fail(ErrorCode::bundle, "expected the tensor " + printable(name) + " to have at most " + std::to_string(kMostElements) +
                                  " numbers, got the shape " + shown(shape) + ": export the bundle again");
    }
  }
  return count;
}

std::size_t TensorForm::bytes() const {
  return elements() * (type == Element::uint8 ? 1 : type == Element::float32 ? 4 : 8);
}

Tensor::Tensor(TensorForm form_of_it)
    : form(std::move(form_of_it)), memory(std::make_unique<std::uint64_t[]>(form.bytes() / 8 + 1)) {
  Shape shape = form.shape;
  shape.insert(shape.begin(), 1);
  const auto host = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  value = Ort::Value::CreateTensor(host, memory.get(), form.bytes(), shape.data(), shape.size(), ort_type(form.type));
}

std::string provider_name(const std::string& given) {
  for (const auto& [name, full_name] : kShortNames) {
    if (given == name) return full_name;
  }
  return given;
}

Graph::Graph(const std::string& name, const std::string& contents, const std::string* weights, const MonitorOptions& options,
             const Signature& inputs, const Signature& outputs)
    : name_(name), provider_(provider_name(options.provider)) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    fail(ErrorCode::argument, "expected 0 to 1024 threads, got " + std::to_string(options.threads) + ": 0 is one a core");
  }
  check_ort();
  try {
    Ort::Env& shared = environment();  // before the options: OpenVINO logs by it while it is added to them
    Ort::SessionOptions session = session_options(options);
    append_provider(provider_, checked_options(provider_, options.provider_options), session);
    if (weights != nullptr) {
      std::vector<std::basic_string<ORTCHAR_T>> names{kWeightsFile};
      std::vector<char*> buffers{const_cast<char*>(weights->data())};
      session.AddExternalInitializersFromFilesInMemory(names, buffers, {weights->size()});
    }
    session_ = Ort::Session(shared, contents.data(), contents.size(), session);
    check_placement(name, read_placement(session_), named_providers(provider_), options.require_provider);
    check_side(session_, name, true, inputs);
    check_side(session_, name, false, outputs);
  } catch (const Ort::Exception& error) {
    fail(provider_ == kCpu ? ErrorCode::bundle : ErrorCode::provider,
         provider_ + " cannot load " + name + ": " + one_line(error.what()));
  }
}

void Graph::bind(const std::vector<Tensor*>& inputs, const std::vector<Tensor*>& outputs) {
  for (const Tensor* input : inputs) {
    input_names_.push_back(input->form.name);
    inputs_.push_back(input->value);
  }
  for (const Tensor* output : outputs) {
    output_names_.push_back(output->form.name);
    outputs_.push_back(const_cast<OrtValue*>(static_cast<const OrtValue*>(output->value)));
  }
  for (const std::string& name : input_names_) input_names_c_.push_back(name.c_str());
  for (const std::string& name : output_names_) output_names_c_.push_back(name.c_str());
}

void Graph::run(const OrtValue* frame, const OrtRunOptions* run_options) {
  const OrtValue* bound = inputs_.front();
  if (frame != nullptr) inputs_.front() = frame;
  OrtStatus* status = Ort::GetApi().Run(session_, run_options, input_names_c_.data(), inputs_.data(), inputs_.size(),
                                        output_names_c_.data(), outputs_.size(), outputs_.data());
  inputs_.front() = bound;
  if (status == nullptr) return;
  const Ort::Status error(status);
  fail(ErrorCode::provider, provider_ + " failed while it ran " + name_ + ": " + one_line(error.GetErrorMessage().c_str()));
}

}  // namespace lsood::detail
