// SPDX-License-Identifier: Apache-2.0
#include "stream/camera_clock.hpp"

#include <algorithm>
#include <cmath>

namespace lsood::stream {
namespace {

constexpr std::int64_t kFirstIntervalNs = kSecond / 5;
constexpr std::size_t kFirstIntervals = 3;
constexpr std::int64_t kGapIntervals = 5;
constexpr std::int64_t kLongestIntervalNs = 60 * kSecond;
constexpr std::int64_t kFewestFrames = 4;
constexpr std::int64_t kStepsWithin = 10;
constexpr std::int64_t kEpochNs = 100'000'000'000'000'000;

}  // namespace

CameraClock::CameraClock(const Policy& policy, const CalibrationSize& calibration, const PictureRules& pictures) {
  if (const auto* duration = std::get_if<MinimumDuration>(&policy.rule())) {
    window_s_ = duration->seconds;
  } else if (const auto* count = std::get_if<KOfN>(&policy.rule())) {
    window_frames_ = count->n;
  } else {
    window_frames_ = static_cast<double>(policy.delay_frames(calibration, 1.0).value());
  }
  slots_.reserve(order_.size());
  for (Sequence*& each : order_) {
    slots_.emplace_back(std::make_unique<AlarmState>(policy, calibration), PictureHistory(pictures));
    each = &slots_.back();
  }
  for (; known_ < kFirstIntervals; ++known_, ++next_) {
    intervals_[known_] = kFirstIntervalNs;
  }
}

std::int64_t CameraClock::interval_ns() const noexcept {
  std::array<std::int64_t, kIntervals> sorted = intervals_;
  const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(known_);
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((known_ - 1) / 2);
  std::nth_element(sorted.begin(), middle, last);
  return *middle;
}

std::int64_t CameraClock::window_ns() const noexcept {
  const double rate = static_cast<double>(kSecond) / static_cast<double>(interval_ns());
  const double window_s = window_frames_ > 0 ? window_frames_ / rate : window_s_;
  return whole(std::ceil(window_s * static_cast<double>(kSecond)));
}

bool CameraClock::alarmed() const noexcept {
  return std::any_of(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [](const Sequence* each) { return each->alarmed; });
}

double CameraClock::statistic() const noexcept {
  double largest = order_[0]->alarm->statistic();
  for (std::size_t i = 1; i < count_; ++i) {
    largest = std::max(largest, order_[i]->alarm->statistic());
  }
  return largest;
}

bool CameraClock::is_unset(std::int64_t stamp_ns) noexcept {
  const std::int64_t last = last_given_;
  last_given_ = stamp_ns;
  return stamp_ns == 0 && (last == 0 || last >= kEpochNs);
}

Place CameraClock::place(std::int64_t stamp_ns, std::int64_t index) noexcept {
  if (count_ == 0) {
    return {&begin(stamp_ns, index), History::begins, {}};
  }
  end_unseen(index);
  Sequence& current = *order_[0];
  const std::int64_t interval = interval_ns(), window = window_ns();
  const std::int64_t gap = std::max(window, kGapIntervals * interval);
  Sequence* nearest = nullptr;
  std::int64_t shortest = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::optional<std::int64_t> distance = order_[i]->distance_ns(stamp_ns, gap);
    if (distance && (nearest == nullptr || *distance < shortest)) {
      nearest = order_[i];
      shortest = *distance;
    }
  }
  if (nearest != nullptr) {
    count_interval(stamp_ns - nearest->latest_ns);
    const StreamFault fault = nearest->advance(stamp_ns, interval);
    see(*nearest, index);
    return {nearest, nearest == &current ? History::continues : History::other_clock, fault};
  }
  const std::int64_t within = std::max(kStepsWithin, intervals_in(window, interval));
  const bool often = steps_ == kSteps && index - steps_back_[0] < within;
  const bool ahead = stamp_ns > current.latest_ns;
  if (!ahead) {
    steps_back_ = {steps_ > 0 ? steps_back_[steps_ - 1] : index, index};
    steps_ = std::min(steps_ + 1, kSteps);
  }
  if (often) {
    Sequence& sequence = begin(stamp_ns, index, true);
    sequence.distrust();
    return {&sequence, History::continues, StreamFault::clock_back(stamp_ns)};
  }
  count_interval(stamp_ns - current.latest_ns);
  return {&begin(stamp_ns, index), ahead ? History::after_gap : History::after_step, {}};
}

Sequence& CameraClock::place_unstamped(std::int64_t stamp_ns, std::int64_t index,
                                       std::optional<std::int64_t> elapsed_ns) noexcept {
  if (count_ == 0) {
    return begin(stamp_ns, index);
  }
  Sequence& sequence = *order_[0];
  sequence.wait(elapsed_ns.value_or(interval_ns()));
  see(sequence, index);
  return sequence;
}

// Begins a sequence, with the evidence of the last one where that has an alarm, or is to be kept.
Sequence& CameraClock::begin(std::int64_t stamp_ns, std::int64_t index, bool keep) noexcept {
  Sequence& sequence = *order_[count_];  // a free one
  sequence.begin(stamp_ns);
  if (count_ > 0 && (keep || order_[0]->alarmed)) {
    hand_over(*order_[0], sequence);
  }
  ++count_;
  see(sequence, index);
  end_unseen(index);
  return sequence;
}

void CameraClock::hand_over(Sequence& giving, Sequence& taking) noexcept {
  std::swap(giving.alarm, taking.alarm);
  giving.alarm->reset();
  taking.alarmed = giving.alarmed;
  giving.alarmed = false;
  taking.set_time(later(giving.time_ns, interval_ns()));
}

void CameraClock::count_interval(std::int64_t interval_ns) noexcept {
  if (0 < interval_ns && interval_ns <= kLongestIntervalNs) {
    intervals_[next_] = interval_ns;
    next_ = (next_ + 1) % kIntervals;
    known_ = std::min(known_ + 1, kIntervals);
  }
}

void CameraClock::see(Sequence& sequence, std::int64_t index) noexcept {
  const auto place = std::find(order_.begin(), order_.end(), &sequence);
  std::rotate(order_.begin(), place, place + 1);
  sequence.seen = index;
}

// Ends the sequences that had no frame for a second, by the number of frames since then, and the fifth.
void CameraClock::end_unseen(std::int64_t index) noexcept {
  const std::int64_t most = std::max(kFewestFrames, intervals_in(kJitterNs, interval_ns()));
  const auto first = order_.begin(), last = first + static_cast<std::ptrdiff_t>(count_);
  // The order among those that end is kept as well: the first with an alarm hands it over.
  std::array<Sequence*, kMostSequences + 1> going{}, ended{};
  std::size_t kept = 0, gone = 0;
  for (auto each = first; each != last; ++each) {
    const bool goes_on = index - (*each)->seen <= most && kept < kMostSequences;
    (goes_on ? going[kept++] : ended[gone++]) = *each;
  }
  if (kept == 0) {
    going[kept++] = ended[0];
    std::rotate(ended.begin(), ended.begin() + 1, ended.begin() + static_cast<std::ptrdiff_t>(gone));
    --gone;
  }
  for (std::size_t i = 0; i < gone; ++i) {
    if (ended[i]->alarmed && !going[0]->alarmed) {
      hand_over(*ended[i], *going[0]);
    }
  }
  std::copy_n(ended.begin(), gone, std::copy_n(going.begin(), kept, first));
  count_ = kept;
}

}  // namespace lsood::stream
