// SPDX-License-Identifier: Apache-2.0
// From verdicts to messages. Needs the headers of messages, and nothing else of ROS.
#pragma once

#include <cstdint>
#include <string>

#include "builtin_interfaces/msg/time.hpp"
#include "lsood/manifest.hpp"
#include "lsood_msgs/msg/assessment.hpp"
#include "lsood_msgs/msg/bundle_description.hpp"
#include "sensor_msgs/msg/image.hpp"
#include "std_msgs/msg/header.hpp"
#include "vision_msgs/msg/detection2_d_array.hpp"
#include "watch.hpp"

namespace lsood_ros {

// The nanoseconds of a stamp; a negative one stays negative.
std::int64_t nanoseconds(const builtin_interfaces::msg::Time& stamp);

// The other way round; a time that the message cannot hold becomes the nearest one that it can.
builtin_interfaces::msg::Time time_of(std::int64_t stamp_ns);

// The picture of an image message, which has to outlive it.
ImageBytes bytes_of(const sensor_msgs::msg::Image& image);

lsood_msgs::msg::Assessment assessment_message(const CameraVerdict& verdict, const std_msgs::msg::Header& header, double wait_ms);

// One detection an object: its box, the class under it as class_id, and the peak of the anomaly map as score, which is no
// probability. Only where the objects are known.
vision_msgs::msg::Detection2DArray objects_message(const lsood::ObjectsAnswer& objects, const std_msgs::msg::Header& header);

// An image of 32FC1 in the byte order of this machine.
sensor_msgs::msg::Image map_message(const float* cells, std::int64_t rows, std::int64_t columns, const std_msgs::msg::Header& header);

// An image of mono8 whose values are classes.
sensor_msgs::msg::Image classes_message(const std::uint8_t* classes, std::int64_t rows, std::int64_t columns,
                                        const std_msgs::msg::Header& header);

lsood_msgs::msg::BundleDescription description_message(const Watch& watch, double deadline_ms);

}  // namespace lsood_ros
