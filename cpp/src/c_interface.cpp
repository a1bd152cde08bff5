// SPDX-License-Identifier: Apache-2.0
#include "detail/c_boundary.hpp"
#include "detail/c_monitor.hpp"
#include "detail/option_words.hpp"

namespace {

using lsood::detail::code_of;
using lsood::detail::require_pointers;
using lsood::detail::unwrapped;

// The verdict as C sees it. Texts are whole ones of the manifest, of the monitor or constants, and end with a zero.
void update_view(lsood_monitor& of) {
  const lsood::Assessment& verdict = of.verdict;
  lsood_assessment& view = of.view;
  view = {};
  view.score = verdict.score;
  view.p_value = verdict.p_value;
  view.threshold = verdict.threshold;
  view.latency_ms = verdict.latency_ms;
  view.stamp_ns = verdict.stamp_ns;
  view.state = static_cast<int32_t>(verdict.state);
  view.is_ood = verdict.is_ood ? 1 : 0;
  view.is_late = verdict.is_late ? 1 : 0;
  view.reason = verdict.reason.c_str();
  view.parts = verdict.parts.data();
  view.part_count = verdict.parts.size();
  view.classes = verdict.classes;
  view.logits = verdict.logits;
  view.expected_quality = verdict.quality.expected;
  view.quality_low = verdict.quality.low;
  view.quality_high = verdict.quality.high;
  view.cause = verdict.cause.is_told ? verdict.cause.cause.data() : nullptr;
  view.cause_probability = verdict.cause.probability;
  view.severity = verdict.cause.severity;
  if (verdict.tiles.is_told) {
    view.tiles = verdict.tiles.abnormal.data();
    view.tile_values = verdict.tiles.values.data();
    view.tile_count = verdict.tiles.values.size();
    view.tile_words = verdict.tiles.words.c_str();
  }
  view.class_confidence = verdict.class_confidence.data();
  view.class_count = verdict.class_confidence.size();
  view.anomaly_map = verdict.anomaly_map;
  of.objects.clear();
  for (const lsood::UnknownObject& each : verdict.objects.objects) {
    of.objects.push_back({each.x, each.y, each.width, each.height, each.area, each.peak,
                          each.road_distance.value_or(lsood::kNaN), each.class_id.value_or(-1), each.where.data()});
  }
  if (verdict.objects.is_told) {
    view.objects = of.objects.data();
    view.object_count = of.objects.size();
    view.object_words = verdict.objects.words.c_str();
  }
  if (verdict.faulty_tiles) {
    of.faulty_tiles.resize(verdict.faulty_tiles->size());
    for (size_t i = 0; i < of.faulty_tiles.size(); ++i) of.faulty_tiles[i] = verdict.faulty_tiles->tiles[i] ? 1 : 0;
    view.faulty_tiles = of.faulty_tiles.data();
    view.faulty_tile_count = of.faulty_tiles.size();
  }
  view.tile_faults = verdict.tile_faults.c_str();
}

lsood_monitor* opened(const char* folder, const char* const* options, size_t count) {
  lsood::MonitorOptions chosen;
  for (size_t i = 0; i < count; ++i) {
    require_pointers("an array of options", options);
    require_pointers("options that are texts", options[i]);
    lsood::detail::set_option(options[i], chosen);
  }
  return new lsood_monitor{unwrapped(lsood::Monitor::open(folder, chosen)), {}, {}, {}, {}};
}

}  // namespace

extern "C" {

int lsood_open(const char* folder, const char* const* options, size_t option_count, lsood_monitor** into) {
  if (into != nullptr) *into = nullptr;
  return code_of([&] {
    require_pointers("a folder and a place for the monitor", folder, into);
    *into = opened(folder, options, option_count);
  });
}

void lsood_close(lsood_monitor* monitor) { delete monitor; }

int lsood_assess(lsood_monitor* monitor, const lsood_frame* frame, int64_t stamp_ns, const lsood_assessment** into) {
  if (into != nullptr) *into = nullptr;
  return code_of([&] {
    require_pointers("a monitor, a frame and a place for its verdict", monitor, frame, into);
    const lsood::Frame given{frame->data, frame->height, frame->width, frame->channels, frame->stride};
    const auto stamp = stamp_ns == LSOOD_NOW ? std::optional<std::int64_t>() : stamp_ns;
    unwrapped(monitor->monitor.assess(given, monitor->verdict, stamp));
    update_view(*monitor);
    *into = &monitor->view;
  });
}

int lsood_self_test(lsood_monitor* monitor) {
  return code_of([&] {
    require_pointers("a monitor", monitor);
    unwrapped(unwrapped(monitor->monitor.self_test()).require(monitor->monitor.provider()));
  });
}

const char* lsood_error(void) { return lsood::detail::kept_error(); }

const char* lsood_provider(const lsood_monitor* monitor) {
  return monitor == nullptr ? "" : monitor->monitor.provider().c_str();
}

const char* lsood_state_name(int32_t state) {
  if (state < LSOOD_OK || state > LSOOD_INVALID) return "";
  return lsood::state_name(static_cast<lsood::State>(state));
}

}  // extern "C"
