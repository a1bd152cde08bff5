// SPDX-License-Identifier: Apache-2.0
// The result of assessing a frame: its state and its verdict.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lsood/state.hpp"
#include "lsood/tile_mask.hpp"

namespace lsood {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A connected region of a frame that its network does not know. The box is in pixels of the frame from its upper left corner.
struct UnknownObject {
  double x = 0, y = 0, width = 0, height = 0;
  double area = 0;                      // share of the frame that the region fills
  double peak = 0;                      // largest value of the anomaly map in the region
  std::optional<std::int64_t> class_id;  // that most cells of the region are segmented as
  std::optional<double> road_distance;   // pixels of the frame; infinite where the frame shows no road
  std::string_view where;                // in words; lives as long as the monitor
};

// Expected quality of the segmentation; NaN where it is unknown.
struct QualityAnswer {
  bool is_told = false;  // whether the bundle answers it
  double expected = kNaN, low = kNaN, high = kNaN;
};

// Cause and severity of a degradation; `unknown` and NaN where they are not known.
struct CauseAnswer {
  bool is_told = false;
  std::string_view cause;                 // lives as long as the monitor
  double probability = kNaN;
  std::vector<std::string_view> set;      // every cause that is probable enough, the most probable first
  double severity = kNaN;
};

// Tiles that look abnormal, by the network's early layers and the pixels themselves, row by row; all NaN where that is unknown.
struct TilesAnswer {
  bool is_told = false;
  std::int64_t rows = 0, columns = 0;
  std::vector<std::uint8_t> abnormal;  // 1 for such a tile
  std::vector<double> values;          // how far each tile is from clean ones, in units of the bundle's limit
  std::string words;                   // where in the frame the abnormal ones are; empty where there are none
};

// What is unknown in the frame.
struct ObjectsAnswer {
  bool is_told = false;
  std::vector<UnknownObject> objects;  // the highest peak first, 32 at most
  std::optional<std::int64_t> count;   // of all of them; nothing where it is unknown
  std::string words;                   // `none`, or `unknown`, or how many there are and where the clearest is
};

// The verdict on one frame. Its vectors and texts keep their memory: use one object for all frames of a camera, and nothing is
// allocated once they have grown. The views in it are of the monitor's own memory and hold until its next call.
struct Assessment {
  double score = std::numeric_limits<double>::infinity();  // higher is further from the training distribution
  double p_value = kNaN;  // share of in-distribution frames that score at least as high; NaN without a finite score
  bool is_ood = false;    // the score is above the threshold, or the state is invalid
  double threshold = kNaN;
  State state = State::invalid;
  std::string reason;  // why the state is not ok; empty where it is
  double latency_ms = 0;
  std::int64_t stamp_ns = 0;
  bool is_late = false;
  std::vector<double> parts;  // each part's share of the score, in the order of the manifest's detector.parts

  // Segmentation: (height, width) classes, or (num_classes, height, width) logits; both nullptr where there is none.
  const std::uint8_t* classes = nullptr;
  const float* logits = nullptr;

  QualityAnswer quality;
  CauseAnswer cause;
  TilesAnswer tiles;
  ObjectsAnswer objects;
  const float* anomaly_map = nullptr;  // (rows, columns) of the manifest's answers.map; nullptr where it is unknown

  std::vector<double> class_confidence;  // of each class, 0 for one that is not shown; empty where it is not told

  std::optional<TileMask> faulty_tiles;  // black, saturated or of one colour in the raw frame; none where not looked at
  std::string tile_faults;               // which tiles these are, in words; empty where there are none
};

}  // namespace lsood
