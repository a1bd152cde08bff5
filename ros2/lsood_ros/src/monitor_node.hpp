// SPDX-License-Identifier: Apache-2.0
// The node: images in, messages and diagnostics out. What it decides lies in watch.hpp, and what it says in messages.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "diagnostic_updater/diagnostic_updater.hpp"
#include "health.hpp"
#include "image_transport/image_transport.hpp"
#include "lsood/latest_frames.hpp"
#include "lsood_msgs/msg/assessment.hpp"
#include "lsood_msgs/msg/bundle_description.hpp"
#include "rclcpp/rclcpp.hpp"
#include "sensor_msgs/msg/image.hpp"
#include "vision_msgs/msg/detection2_d_array.hpp"
#include "watch.hpp"

namespace lsood_ros {

// Scores the latest image of each camera in a thread of its own, so that no callback waits for the network; older images that
// still wait are dropped. Publishes a message for each image that is scored, and for each camera that sends nothing.
class MonitorNode : public rclcpp::Node {
 public:
  // Reads the parameters and opens the bundle. Throws std::runtime_error with one line where that fails: there is no node then.
  explicit MonitorNode(const rclcpp::NodeOptions& options = rclcpp::NodeOptions());
  ~MonitorNode() override;

 private:
  using Clock = std::chrono::steady_clock;
  using Image = sensor_msgs::msg::Image;

  // What the thread is handed: an image of a camera, or none to look for silent cameras.
  struct Waiting {
    std::size_t camera = 0;
    Image::ConstSharedPtr image;
    Clock::time_point received;
  };

  struct Camera {
    Camera(const CameraSource& from, double longest_s, Clock::time_point now)
        : source(from), health(longest_s, std::chrono::duration<double>(now.time_since_epoch()).count()), last_received(now) {}

    CameraSource source;
    CameraHealth health;
    std::atomic<Clock::time_point> last_received;  // when its last image came; before the first, when the node started
    std::string frame_id;  // of its last image
    image_transport::Subscriber images;
    rclcpp::Publisher<lsood_msgs::msg::Assessment>::SharedPtr assessments;
    rclcpp::Publisher<vision_msgs::msg::Detection2DArray>::SharedPtr objects;  // nullptr where the bundle tells none
    rclcpp::Publisher<Image>::SharedPtr map, segmentation;                      // likewise
  };

  void read_parameters();
  void add_camera(const CameraSource& source);
  void publish_description();

  void receive(std::size_t camera, const Image::ConstSharedPtr& image);
  void diagnose(std::size_t camera, diagnostic_updater::DiagnosticStatusWrapper& status);

  void work();
  // Does something for a camera, and tells what goes wrong.
  template <typename Act>
  void attempt(Camera& camera, Act&& act);
  void tell_error(Camera& camera, const std::string& message);
  lsood::Result<void> score(const Waiting& waiting);
  void report_silent_cameras();
  lsood::Result<void> report_silent(Camera& camera);
  void publish(Camera& camera, const std_msgs::msg::Header& header, double wait_ms);
  void publish_answers(Camera& camera, const std_msgs::msg::Header& header);
  // Publishes the message that `make` gives. What fails is told, and holds no other message back.
  template <typename Message, typename Make>
  void publish_message(Camera& camera, const char* topic, const std::shared_ptr<rclcpp::Publisher<Message>>& to, Make&& make);

  Parameters parameters_;
  std::optional<Watch> watch_;
  std::vector<std::unique_ptr<Camera>> cameras_;
  std::vector<std::string> names_;
  CameraVerdict verdict_;  // of the thread
  rclcpp::Clock log_clock_{RCL_STEADY_TIME};  // likewise; that of the node may go back, under use_sim_time
  lsood::LatestFrames<Waiting> waiting_;
  rclcpp::Publisher<lsood_msgs::msg::BundleDescription>::SharedPtr description_;
  std::unique_ptr<diagnostic_updater::Updater> diagnostics_;
  rclcpp::TimerBase::SharedPtr silence_timer_;
  std::thread worker_;
};

}  // namespace lsood_ros
