// SPDX-License-Identifier: Apache-2.0
#include "lsood/camera_stream.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "detail/failure.hpp"
#include "detail/number_text.hpp"
#include "stream/camera_state.hpp"

namespace lsood {
namespace {

using stream::CameraState;
using detail::number_text;
using detail::guarded;

Error refused(std::string message) { return Error{ErrorCode::argument, std::move(message)}; }

bool is_stamp(std::optional<std::int64_t> now_ns) { return !now_ns || *now_ns >= 0; }

Error no_stamp(std::int64_t now_ns) {
  return refused("expected a time from 0 to 2**63 - 1 ns, got " + std::to_string(now_ns) +
                 ": pass it on the clock of the stamps");
}

bool is_positive(double number) { return number > 0 && std::isfinite(number); }

Result<void> check_calibration(const CalibrationSize& calibration) {
  if (is_positive(calibration.effective_frames)) {
    return {};
  }
  return refused("expected calibration frames that are worth more than 0 independent ones, got " +
                 number_text(calibration.effective_frames) + ": pass calibration.effective_frames of the manifest");
}

Result<void> check_options(const StreamOptions& options) {
  if (options.frozen_after_s && !is_positive(*options.frozen_after_s)) {
    return refused("expected a time above 0 s after which a camera is frozen, got " +
                   number_text(*options.frozen_after_s) + ": leave it out for never");
  }
  if (!(0 <= options.frozen_tolerance && options.frozen_tolerance <= 0.5)) {
    return refused("expected a share of tiles from 0 to 0.5, got " + number_text(options.frozen_tolerance) +
                   ": pass 0 for identical images");
  }
  if (options.max_cameras < 1) {
    return refused("expected at least one camera, got 0: 1000 is the default");
  }
  if (const auto& check = options.tile_check) {
    const bool tiles = 1 <= check->rows && check->rows <= TileMask::most_rows && 1 <= check->columns &&
                       check->columns <= TileMask::most_columns;
    if (!tiles || !(0 < check->share && check->share <= 1) || check->frames < 1) {
      return refused("expected 1 to 16 rows and columns of tiles, a share above 0, at most 1, and at least one frame, got " +
                     std::to_string(check->rows) + " x " + std::to_string(check->columns) + ", " +
                     number_text(check->share) + " and " + std::to_string(check->frames) +
                     ": 4 x 8, 0.25 and 3 are the defaults");
    }
  }
  if (const auto& quality = options.quality) {
    const auto& low = quality->clean_low;
    const bool finite = std::all_of(low.begin(), low.end(), [](double each) { return std::isfinite(each); });
    if (low.empty() || !finite || !std::is_sorted(low.begin(), low.end())) {
      return refused("expected the lower ends of the clean frames' quality, finite and ascending, got " +
                     std::to_string(low.size()) + " of them: pass those of the manifest");
    }
    if (!std::isfinite(quality->smallest) || !is_positive(quality->frames_worth)) {
      return refused("expected a smallest quality, and a worth of frames above 0, got " + number_text(quality->smallest) +
                     " and " + number_text(quality->frames_worth) + ": pass those of the manifest");
    }
    return quality->policy.check(stream::calibration_of(*quality));
  }
  return {};
}

}  // namespace

Receipt Receipt::now() noexcept {
  using std::chrono::duration_cast;
  const auto epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return {duration_cast<std::chrono::nanoseconds>(epoch).count(), std::chrono::duration<double>(steady).count()};
}

class CameraStream::Impl {
 public:
  explicit Impl(stream::StreamRules rules) : rules_(std::move(rules)) {}

  using Shared = std::shared_ptr<CameraState>;

  [[nodiscard]] Receipt received() const noexcept { return rules_.options.clock(); }

  // The state of a camera; a new one, where another may have to be forgotten.
  Shared state(std::string_view camera, const Receipt& receipt) {
    const std::lock_guard<std::mutex> held(lock_);
    const auto known = cameras_.find(camera);
    if (known != cameras_.end()) {
      return known->second.state;
    }
    auto made = std::make_shared<CameraState>(rules_, receipt.steady_s);
    if (cameras_.size() >= rules_.options.max_cameras) {
      forget_one();
    }
    cameras_.emplace(camera, Camera{made, next_++});
    return made;
  }

  // The state of a camera that has sent something; none where it has not.
  [[nodiscard]] Shared known(std::string_view camera) const {
    const std::lock_guard<std::mutex> held(lock_);
    const auto found = cameras_.find(camera);
    return found == cameras_.end() ? nullptr : found->second.state;
  }

  bool forget(std::string_view camera) {
    const std::lock_guard<std::mutex> held(lock_);
    const auto found = cameras_.find(camera);
    if (found == cameras_.end()) {
      return false;
    }
    cameras_.erase(found);
    return true;
  }

  struct Named {
    std::string name;
    Shared state;
  };

  // All cameras in the order of their first frame.
  [[nodiscard]] std::vector<Named> all() const {
    const std::lock_guard<std::mutex> held(lock_);
    std::map<std::int64_t, Named> ordered;
    for (const auto& [name, camera] : cameras_) {
      ordered.emplace(camera.number, Named{name, camera.state});
    }
    std::vector<Named> found;
    for (auto& each : ordered) {
      found.push_back(std::move(each.second));
    }
    return found;
  }

 private:
  struct Camera {
    Shared state;
    std::int64_t number;  // of its first frame among those of all cameras
  };

  void forget_one() {
    const auto rank = [](const auto& each) {
      const Camera& camera = each.second;
      const std::lock_guard<std::mutex> held(camera.state->lock);
      return std::make_tuple(camera.state->clock.alarmed(), camera.state->received_s, camera.number);
    };
    cameras_.erase(std::min_element(cameras_.begin(), cameras_.end(),
                                    [&](const auto& a, const auto& b) { return rank(a) < rank(b); }));
  }

  const stream::StreamRules rules_;
  mutable std::mutex lock_;
  std::map<std::string, Camera, std::less<>> cameras_;
  std::int64_t next_ = 0;
};

CameraStream::CameraStream(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
CameraStream::CameraStream(CameraStream&&) noexcept = default;
CameraStream& CameraStream::operator=(CameraStream&&) noexcept = default;
CameraStream::~CameraStream() = default;

Result<CameraStream> CameraStream::open(const Policy& policy, const CalibrationSize& calibration,
                                        const StreamOptions& options) noexcept {
  return guarded([&]() -> Result<CameraStream> {
    for (const Result<void>& checked : {check_calibration(calibration), policy.check(calibration), check_options(options)}) {
      if (!checked) {
        return checked.error();
      }
    }
    return CameraStream(std::make_unique<Impl>(stream::StreamRules{policy, calibration, options}));
  });
}

Result<StreamAssessment> CameraStream::follow(const FrameVerdict& verdict, std::optional<std::int64_t> stamp_ns,
                                              const std::optional<ImageDigest>& image,
                                              std::string_view camera) noexcept {
  return guarded([&]() -> Result<StreamAssessment> {
    const Receipt receipt = impl_->received();
    const Impl::Shared state = impl_->state(camera, receipt);
    const std::lock_guard<std::mutex> held(state->lock);
    return state->follow(verdict, stamp_ns, image ? &*image : nullptr, receipt, camera);
  });
}

Result<std::vector<SilentCamera>> CameraStream::silent(std::optional<std::int64_t> now_ns, double max_age_s,
                                                       const std::vector<std::string>& expected) const noexcept {
  return guarded([&]() -> Result<std::vector<SilentCamera>> {
    if (!(max_age_s >= 0)) {
      return refused("expected a largest age of at least 0 s, got " + number_text(max_age_s) + ": 1 is the default");
    }
    if (!is_stamp(now_ns)) {
      return no_stamp(*now_ns);
    }
    const double received_s = impl_->received().steady_s;
    std::vector<SilentCamera> found;
    std::vector<std::string> seen;
    for (const auto& [name, state] : impl_->all()) {
      const std::lock_guard<std::mutex> held(state->lock);
      if (state->summary.frames > 0) {
        seen.push_back(name);
        if (const double age_s = state->age_s(now_ns, received_s); age_s > max_age_s) {
          found.push_back({name, age_s});
        }
      }
    }
    for (const std::string& name : expected) {
      if (std::isfinite(max_age_s) && std::find(seen.begin(), seen.end(), name) == seen.end()) {
        seen.push_back(name);
        found.push_back({name, std::numeric_limits<double>::infinity()});
      }
    }
    return found;
  });
}

Result<StreamAssessment> CameraStream::report_silent(std::string_view camera,
                                                     std::optional<std::int64_t> now_ns) noexcept {
  return guarded([&]() -> Result<StreamAssessment> {
    if (!is_stamp(now_ns)) {
      return no_stamp(*now_ns);
    }
    const Receipt receipt = impl_->received();
    const Impl::Shared state = impl_->state(camera, receipt);
    const std::lock_guard<std::mutex> held(state->lock);
    return state->report_silent(now_ns, receipt, camera);
  });
}

namespace {

Error unknown_camera(std::string_view camera) {
  return Error{ErrorCode::camera, "expected a camera that has sent something, got '" + std::string(camera) +
                                      "': cameras() has their names"};
}

}  // namespace

Result<CameraSummary> CameraStream::summary(std::string_view camera) const noexcept {
  return guarded([&]() -> Result<CameraSummary> {
    const Impl::Shared state = impl_->known(camera);
    if (!state) {
      return unknown_camera(camera);
    }
    const std::lock_guard<std::mutex> held(state->lock);
    return state->summary;
  });
}

Result<double> CameraStream::frames_per_second(std::string_view camera) const noexcept {
  return guarded([&]() -> Result<double> {
    const Impl::Shared state = impl_->known(camera);
    if (!state) {
      return unknown_camera(camera);
    }
    const std::lock_guard<std::mutex> held(state->lock);
    return 1e9 / static_cast<double>(state->clock.interval_ns());
  });
}

Result<void> CameraStream::forget(std::string_view camera) noexcept {
  return guarded([&]() -> Result<void> {
    if (!impl_->forget(camera)) {
      return unknown_camera(camera);
    }
    return {};
  });
}

Result<std::vector<std::string>> CameraStream::cameras() const noexcept {
  return guarded([&]() -> Result<std::vector<std::string>> {
    std::vector<std::string> names;
    for (auto& each : impl_->all()) {
      names.push_back(std::move(each.name));
    }
    return names;
  });
}

}  // namespace lsood
