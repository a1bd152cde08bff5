// SPDX-License-Identifier: Apache-2.0
#include "monitor_node.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "messages.hpp"
#include "rclcpp_components/register_node_macro.hpp"

namespace lsood_ros {

namespace {

using Steady = std::chrono::steady_clock;

constexpr const char* kSilenceCheck = "";  // stands in the queue for a camera's name, which is never empty
constexpr int kLogPauseMs = 1000;           // between two errors of frames in the log; diagnostics tell each camera's

double seconds_of(Steady::time_point time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

// The descriptor of a parameter, which ROS holds values against: its range, and that it never changes.
template <typename T>
rcl_interfaces::msg::ParameterDescriptor descriptor_of(const ParameterName& parameter) {
  rcl_interfaces::msg::ParameterDescriptor descriptor;
  descriptor.name = parameter.name;
  descriptor.description = parameter.description;
  descriptor.read_only = true;
  if constexpr (std::is_same_v<T, double>) {
    rcl_interfaces::msg::FloatingPointRange range;
    range.from_value = parameter.range->low;
    range.to_value = parameter.range->high;
    descriptor.floating_point_range.push_back(range);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    rcl_interfaces::msg::IntegerRange range;
    range.from_value = static_cast<std::int64_t>(parameter.range->low);
    range.to_value = static_cast<std::int64_t>(parameter.range->high);
    range.step = 1;
    descriptor.integer_range.push_back(range);
  }
  return descriptor;
}

}  // namespace

MonitorNode::MonitorNode(const rclcpp::NodeOptions& options) : rclcpp::Node("lsood_monitor", options) {
  read_parameters();
  const auto sources = camera_sources(parameters_);
  if (!sources) throw std::runtime_error(sources.error().message);
  auto watch = Watch::open(parameters_);
  if (!watch) throw std::runtime_error(watch.error().message);
  watch_.emplace(std::move(watch).value());
  diagnostics_ = std::make_unique<diagnostic_updater::Updater>(this);
  diagnostics_->setHardwareID("lsood " + watch_->monitor().manifest().name);
  publish_description();
  for (const CameraSource& source : sources.value()) add_camera(source);
  silence_timer_ = create_wall_timer(std::chrono::duration<double>(parameters_.max_age_s / 2),
                                     [this] { (void)waiting_.put(kSilenceCheck, {}); });
  RCLCPP_INFO(get_logger(), "watching %zu cameras with %s on %s, alarm %s", cameras_.size(), parameters_.bundle.c_str(),
              watch_->monitor().provider().c_str(), watch_->alarm().c_str());
  worker_ = std::thread([this] { work(); });
}

MonitorNode::~MonitorNode() {
  for (const auto& camera : cameras_) camera->images.shutdown();
  waiting_.close();
  if (worker_.joinable()) worker_.join();
}

void MonitorNode::read_parameters() {
  each_parameter(parameters_, [this](const ParameterName& parameter, auto& value) {
    using T = std::decay_t<decltype(value)>;
    value = declare_parameter<T>(parameter.name, value, descriptor_of<T>(parameter));
  });
}

void MonitorNode::publish_description() {
  rclcpp::PublisherOptions options;  // transient local does not go with communication within the process in ROS 2 Humble
  options.use_intra_process_comm = rclcpp::IntraProcessSetting::Disable;
  description_ = create_publisher<lsood_msgs::msg::BundleDescription>("~/bundle", rclcpp::QoS(1).transient_local(), options);
  description_->publish(description_message(*watch_, parameters_.deadline_ms));
}

void MonitorNode::add_camera(const CameraSource& source) {
  const std::size_t place = cameras_.size();
  const std::string topics = "~/" + source.name + "/";
  const lsood::Manifest& manifest = watch_->monitor().manifest();
  cameras_.push_back(std::make_unique<Camera>(source, 2 * parameters_.max_age_s, Clock::now()));
  names_.push_back(source.name);
  Camera& camera = *cameras_.back();
  camera.assessments = create_publisher<lsood_msgs::msg::Assessment>(topics + "assessment", rclcpp::QoS(10));
  if (manifest.answers && manifest.answers->map) {
    camera.objects = create_publisher<vision_msgs::msg::Detection2DArray>(topics + "objects", rclcpp::QoS(10));
    camera.map = create_publisher<Image>(topics + "anomaly_map", rclcpp::QoS(1));
  }
  if (manifest.segmentation.kind == "classes") {
    camera.segmentation = create_publisher<Image>(topics + "segmentation", rclcpp::QoS(1));
  }
  diagnostics_->add(source.name, [this, place](diagnostic_updater::DiagnosticStatusWrapper& status) { diagnose(place, status); });
  // That of sensors, but for the depth: an image that waited is worth less than the next.
  const rmw_qos_profile_t latest = rclcpp::SensorDataQoS().keep_last(1).get_rmw_qos_profile();
  camera.images = image_transport::create_subscription(
      this, source.topic, [this, place](const Image::ConstSharedPtr& image) { receive(place, image); },
      parameters_.image_transport, latest);
}

void MonitorNode::receive(std::size_t camera, const Image::ConstSharedPtr& image) {
  Camera& from = *cameras_[camera];
  const Clock::time_point now = Clock::now();
  from.last_received = now;
  const auto kept_all = waiting_.put(from.source.name, {camera, image, now});
  if (kept_all && !kept_all.value()) from.health.count_dropped();
}

void MonitorNode::diagnose(std::size_t camera, diagnostic_updater::DiagnosticStatusWrapper& status) {
  Camera& from = *cameras_[camera];
  const Diagnosis told = from.health.report(watch_->stream().summary(from.source.name), seconds_of(Clock::now()));
  status.summary(static_cast<unsigned char>(told.level), told.message);
  for (const auto& [name, value] : told.values) status.add(name, value);
}

void MonitorNode::work() {
  while (const auto taken = waiting_.take()) {
    const Waiting& waiting = taken->second;
    if (waiting.image) {
      attempt(*cameras_[waiting.camera], [&] { return score(waiting); });
    } else {
      report_silent_cameras();
    }
  }
}

template <typename Act>
void MonitorNode::attempt(Camera& camera, Act&& act) {
  try {
    const lsood::Result<void> done = act();
    if (!done) tell_error(camera, done.error().message);
  } catch (const std::exception& error) {
    tell_error(camera, error.what());
  }
}

void MonitorNode::tell_error(Camera& camera, const std::string& message) {
  camera.health.take_error(message, seconds_of(Clock::now()));
  RCLCPP_ERROR_THROTTLE(get_logger(), log_clock_, kLogPauseMs, "%s: %s", camera.source.name.c_str(), message.c_str());
}

lsood::Result<void> MonitorNode::score(const Waiting& waiting) {
  Camera& camera = *cameras_[waiting.camera];
  const Image& image = *waiting.image;
  const double wait_ms = 1000 * (seconds_of(Clock::now()) - seconds_of(waiting.received));
  camera.frame_id = image.header.frame_id;
  const auto done = watch_->assess(bytes_of(image), nanoseconds(image.header.stamp), camera.source.name, verdict_);
  if (done) publish(camera, image.header, wait_ms);
  return done;
}

void MonitorNode::report_silent_cameras() {
  const auto silent = watch_->silent(parameters_.max_age_s, names_);
  const std::chrono::duration<double> max_age(parameters_.max_age_s);
  for (const auto& camera : cameras_) {
    if (!silent) {
      tell_error(*camera, silent.error().message);
      continue;
    }
    const auto is_this = [&](const lsood::SilentCamera& each) { return each.camera == camera->source.name; };
    if (std::none_of(silent->begin(), silent->end(), is_this)) continue;
    // One whose image still waits, behind those of other cameras, sends.
    if (Clock::now() - camera->last_received.load() <= max_age) continue;
    attempt(*camera, [&] { return report_silent(*camera); });
  }
}

lsood::Result<void> MonitorNode::report_silent(Camera& camera) {
  const auto done = watch_->report_silent(camera.source.name, verdict_);
  if (!done) return done;
  std_msgs::msg::Header header;
  header.frame_id = camera.frame_id;
  header.stamp = time_of(verdict_.stream.stamp_ns);
  publish(camera, header, 0);
  return done;
}

void MonitorNode::publish(Camera& camera, const std_msgs::msg::Header& header, double wait_ms) {
  const lsood::StreamAssessment& stream = verdict_.stream;
  const char* name = camera.source.name.c_str();
  if (stream.onset || (stream.quality && stream.quality->onset)) {
    RCLCPP_ERROR(get_logger(), "ALARM of %s: %s %s", name, lsood::state_name(verdict_.frame.state), verdict_.frame.reason.c_str());
  }
  if (stream.restarted()) RCLCPP_WARN(get_logger(), "%s: the history begins anew: %s", name, lsood::history_name(stream.history));
  camera.health.take(verdict_, wait_ms, seconds_of(Clock::now()));
  publish_answers(camera, header);
  publish_message(camera, "assessment", camera.assessments, [&] { return assessment_message(verdict_, header, wait_ms); });
}

template <typename Message, typename Make>
void MonitorNode::publish_message(Camera& camera, const char* topic, const std::shared_ptr<rclcpp::Publisher<Message>>& to,
                                  Make&& make) {
  try {
    to->publish(std::make_unique<Message>(make()));
  } catch (const std::exception& error) {
    tell_error(camera, std::string(topic) + ": " + error.what());
  }
}

void MonitorNode::publish_answers(Camera& camera, const std_msgs::msg::Header& header) {
  const lsood::Assessment& frame = verdict_.frame;
  const lsood::Manifest& manifest = watch_->monitor().manifest();
  if (camera.objects && frame.objects.count) {
    publish_message(camera, "objects", camera.objects, [&] { return objects_message(frame.objects, header); });
  }
  if (camera.map && frame.anomaly_map != nullptr && camera.map->get_subscription_count() > 0) {
    const lsood::MapRecord& map = *manifest.answers->map;
    publish_message(camera, "anomaly_map", camera.map,
                    [&] { return map_message(frame.anomaly_map, map.rows, map.columns, header); });
  }
  if (camera.segmentation && frame.classes != nullptr && camera.segmentation->get_subscription_count() > 0) {
    const lsood::SegmentationRecord& classes = manifest.segmentation;
    publish_message(camera, "segmentation", camera.segmentation,
                    [&] { return classes_message(frame.classes, *classes.height, *classes.width, header); });
  }
}

}  // namespace lsood_ros

RCLCPP_COMPONENTS_REGISTER_NODE(lsood_ros::MonitorNode)
