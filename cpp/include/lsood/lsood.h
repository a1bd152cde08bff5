/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface: what another language needs to open a bundle and assess frames. */
#ifndef LSOOD_H
#define LSOOD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LSOOD_NOW INT64_MIN /* in place of a frame's stamp: the time of the call */

/* What a call returns: 0, or why it failed; lsood_error has the message. */
enum lsood_code {
  LSOOD_DONE = 0,
  LSOOD_ARGUMENT = 1,
  LSOOD_BUNDLE = 2,
  LSOOD_PROVIDER = 3,
  LSOOD_SELF_TEST = 4,
  LSOOD_FRAME = 5,
  LSOOD_CAMERA = 6,
  LSOOD_MEMORY = 7,
  LSOOD_INTERNAL = 8
};

/* The least grave first. */
enum lsood_state { LSOOD_OK = 0, LSOOD_LATE, LSOOD_LOW_QUALITY, LSOOD_OUT_OF_DISTRIBUTION, LSOOD_INVALID };

typedef struct lsood_monitor lsood_monitor;

/* A view of a frame in host memory; see lsood/frame.hpp. */
typedef struct lsood_frame {
  const uint8_t* data;
  int64_t height, width, channels, stride;
} lsood_frame;

/* class_id is -1, and road_distance NaN, where the bundle does not tell it. */
typedef struct lsood_object {
  double x, y, width, height, area, peak, road_distance;
  int64_t class_id;
  const char* where;
} lsood_object;

/* Numbers are NaN, and pointers NULL, where the bundle does not answer or it is unknown; see lsood/assessment.hpp. */
typedef struct lsood_assessment {
  double score, p_value, threshold, latency_ms;
  int64_t stamp_ns;
  int32_t state, is_ood, is_late;
  const char* reason;
  const double* parts;
  size_t part_count;
  const uint8_t* classes;
  const float* logits;
  double expected_quality, quality_low, quality_high;
  const char* cause;
  double cause_probability, severity;
  const uint8_t* tiles;
  const double* tile_values;
  size_t tile_count;
  const char* tile_words;
  const double* class_confidence; /* of each class, 0 for one that is not shown */
  size_t class_count;
  const float* anomaly_map;
  const lsood_object* objects;
  size_t object_count; /* of those that are described, 32 at most */
  const char* object_words;
  const uint8_t* faulty_tiles;
  size_t faulty_tile_count;
  const char* tile_faults;
} lsood_assessment;

/* Opens a bundle. Each option is text, name=value: provider=cuda, provider.device_id=0, require_provider=1, threads=2, fused=1,
   channels=bgr, operating_point=5%, min_quality=0.4, deadline_ms=100, validate=0, tile_check=4x8x0.25 or tile_check=none, self_test=0,
   self_test_seconds=30, expected_sha256=...; what they mean stands at MonitorOptions in lsood/monitor.hpp. */
int lsood_open(const char* folder, const char* const* options, size_t option_count, lsood_monitor** into);
void lsood_close(lsood_monitor* monitor);

/* Assesses a frame. The verdict, and all that it points to, is the monitor's own and holds until the next call with it. A
   monitor serves one thread at a time. */
int lsood_assess(lsood_monitor* monitor, const lsood_frame* frame, int64_t stamp_ns, const lsood_assessment** into);
int lsood_self_test(lsood_monitor* monitor);

/* The message of this thread's last call that failed, of this header or of lsood/stream.h: one line of UTF-8 of at most 2000
   bytes with what was expected, what came and a remedy. It holds until the thread's next call. */
const char* lsood_error(void);
const char* lsood_provider(const lsood_monitor* monitor);
const char* lsood_state_name(int32_t state);

#ifdef __cplusplus
}
#endif

#endif
