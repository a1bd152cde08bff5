/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface of the camera stream: alarms, clocks, frozen and silent cameras, see lsood/camera_stream.hpp. */
#ifndef LSOOD_STREAM_H
#define LSOOD_STREAM_H

#include "lsood/lsood.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a frame continues the history of its camera; see lsood/history.hpp. */
enum lsood_history { LSOOD_BEGINS = 0, LSOOD_CONTINUES, LSOOD_OTHER_CLOCK, LSOOD_REPEATED, LSOOD_AFTER_GAP, LSOOD_AFTER_STEP };

typedef struct lsood_stream lsood_stream;

/* By which rule the expected quality of the frames raises an alarm; see QualityRule in lsood/camera_stream.hpp. */
typedef struct lsood_quality_rule {
  const char* policy;
  const double* clean_low; /* answers.quality.clean_low of the manifest */
  size_t clean_count;
  double smallest;     /* a frame of a lower quality counts as out of distribution does for the score */
  double frames_worth; /* independent frames that a calibration frame is worth */
} lsood_quality_rule;

/* The cameras are checked as CameraStream does by default. */
typedef struct lsood_stream_options {
  const char* policy;         /* such as 3of5 */
  size_t calibration_frames;  /* how many calibration.scores the manifest has */
  double effective_frames;    /* calibration.effective_frames of the manifest */
  double frozen_after_s;      /* without a new image, from which a camera is frozen; 1 is the default there, 0 for never */
  const lsood_quality_rule* quality; /* NULL where the expected quality is not watched */
} lsood_stream_options;

/* The verdict on a frame alone: that of lsood_assess, whose fields have the same names. */
typedef struct lsood_stream_frame {
  int32_t state;            /* an lsood_state */
  double p_value;           /* NaN where the score is not finite */
  double quality_low;       /* NaN where it is unknown */
  const lsood_frame* image; /* the raw image; NULL where there is none */
  int64_t stamp_ns;         /* on a clock of the camera's, or LSOOD_NOW */
  const char* camera;       /* its name */
} lsood_stream_frame;

/* What the frames of the camera add up to. */
typedef struct lsood_stream_result {
  int32_t state;     /* of the frame; invalid too where its camera or its clock does not work */
  int32_t alarm;     /* 1 while there is one */
  int32_t onset;     /* 1 where this frame raised it */
  int32_t history;   /* an lsood_history */
  int32_t quality_alarm, quality_onset; /* the same of the expected quality; 0 where it is not watched */
  int64_t index;     /* frames that the camera sent before this one */
  int64_t stamp_ns;  /* of the frame; the time of receipt where there was none */
  int64_t since_ns, quality_since_ns;    /* stamp of the frame that raised the alarm; -1 without one */
  double statistic, quality_statistic;   /* progress towards the alarm, which the policy raises at 1 */
  char reason[256];  /* why the stream calls the frame invalid, cut at the end of the field; empty where it does not */
} lsood_stream_result;

/* Fills in what a stream needs of the bundle of a monitor: calibration_frames and effective_frames, and all of `quality` but its
   policy, by the monitor's operating point. clean_low lives as long as the monitor. `quality` may be NULL; LSOOD_BUNDLE where it
   is not, and the bundle does not tell the quality. */
int lsood_stream_calibration(const lsood_monitor* monitor, lsood_stream_options* options, lsood_quality_rule* quality);

int lsood_stream_open(const lsood_stream_options* options, lsood_stream** into);
void lsood_stream_close(lsood_stream* stream);

/* Each may be called from several threads, and takes no memory after the first frame of a camera. */
int lsood_stream_follow(lsood_stream* stream, const lsood_stream_frame* frame, lsood_stream_result* into);

/* Counts a camera that sends nothing as invalid until now, LSOOD_NOW or a time on the clock of its stamps. */
int lsood_stream_report_silent(lsood_stream* stream, const char* camera, int64_t now_ns, lsood_stream_result* into);

#ifdef __cplusplus
}
#endif

#endif
