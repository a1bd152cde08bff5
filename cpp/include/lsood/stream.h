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

/* The verdict on a frame alone: that of lsood_assess, whose fields have the same names. */
typedef struct lsood_stream_frame {
  int32_t state;            /* an lsood_state */
  double p_value;           /* NaN where the score is not finite */
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
  int64_t index;     /* frames that the camera sent before this one */
  int64_t stamp_ns;  /* of the frame; the time of receipt where there was none */
  int64_t since_ns;  /* stamp of the frame that raised the alarm; -1 without one */
  double statistic;  /* progress towards the alarm, which the policy raises at 1 */
  char reason[256];  /* why the stream calls the frame invalid, cut at the end of the field; empty where it does not */
} lsood_stream_result;

/* Opens a stream with a policy by its text, such as 3of5, and the calibration's scores and what they are worth
   (calibration.scores and calibration.effective_frames of the manifest). The cameras are checked as CameraStream does by
   default; frozen_after_s is the time without a new image from which one is frozen, 1 by default there, 0 for never. */
int lsood_stream_open(const char* policy, size_t calibration_frames, double effective_frames, double frozen_after_s,
                      lsood_stream** into, char* error, size_t error_size);
void lsood_stream_close(lsood_stream* stream);

/* Each may be called from several threads, and takes no memory after the first frame of a camera. */
int lsood_stream_follow(lsood_stream* stream, const lsood_stream_frame* frame, lsood_stream_result* into);

/* Counts a camera that sends nothing as invalid until now, LSOOD_NOW or a time on the clock of its stamps. */
int lsood_stream_report_silent(lsood_stream* stream, const char* camera, int64_t now_ns, lsood_stream_result* into);

#ifdef __cplusplus
}
#endif

#endif
