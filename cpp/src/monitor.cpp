// SPDX-License-Identifier: Apache-2.0
#include "lsood/monitor.hpp"

#include <chrono>

#include "detail/bundle.hpp"
#include "detail/failure.hpp"
#include "detail/frame_check.hpp"
#include "detail/frame_pass.hpp"
#include "detail/picture_check.hpp"
#include "detail/self_test.hpp"
#include "detail/verdict.hpp"
#include "detail/words.hpp"

namespace lsood {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLeastTilePixels = 8;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The tiles of a check; a failure where they cannot be, or are too small in the frames of a bundle. The default check is left
// out there.
std::optional<TileCheck> checked_tiles(const MonitorOptions& options, const InputContract& input) {
  if (!options.tile_check || !options.validate) return {};
  const TileCheck check = *options.tile_check, standard;
  if (check.rows < 1 || check.rows > 16 || check.columns < 1 || check.columns > 16) {
    detail::fail(ErrorCode::argument, "expected from 1 to 16 rows and columns of tiles, got " + std::to_string(check.rows) + "x" +
                                          std::to_string(check.columns) + ": 4 x 8 is the default");
  }
  if (!(0 < check.share && check.share <= 1)) {
    detail::fail(ErrorCode::argument, "expected a share of the tiles above 0, at most 1: 0.25 is the default");
  }
  if (input.frame_height >= kLeastTilePixels * check.rows && input.frame_width >= kLeastTilePixels * check.columns) return check;
  if (check.rows == standard.rows && check.columns == standard.columns && check.share == standard.share) return {};
  detail::fail(ErrorCode::argument, "expected tiles of at least 8x8 pixels, got " + std::to_string(check.rows) + "x" +
                                        std::to_string(check.columns) + " tiles of frames of " + std::to_string(input.frame_height) +
                                        "x" + std::to_string(input.frame_width) +
                                        " (rows x columns): take fewer, or check whole frames alone");
}

std::vector<detail::Picture> pictures_of(const detail::Golden& golden, const detail::FrameCheck& frames) {
  std::vector<detail::Picture> pictures;
  const std::size_t size = golden.frames.bytes.size() / golden.count;
  for (std::size_t i = 0; i < golden.count; ++i) {
    pictures.push_back(frames.picture(golden.frames.data() + i * size));
  }
  return pictures;
}

}  // namespace

struct Monitor::Impl {
  Impl(detail::Bundle bundle, const MonitorOptions& options)
      : sealed(std::move(bundle.sealed)), golden(std::move(bundle.golden)), is_looked_at(options.validate),
        provider(detail::provider_name(options.provider)), self_test_seconds(options.self_test_seconds),
        frames(sealed.manifest.input, options.channels),
        pictures(checked_tiles(options, sealed.manifest.input), pictures_of(golden, frames)),
        rule(sealed.manifest, {options.operating_point, options.min_quality, options.deadline_ms}) {
    pass.emplace(sealed.manifest, bundle.files, options);
    if (!options.self_test) return;
    detail::unwrapped(self_test().require(provider));
  }

  SelfTest self_test() { return detail::replay(*pass, golden, sealed.manifest, provider, self_test_seconds); }

  void run(const std::uint8_t* frame) {
    pass->draw_noise();
    pass->run(frame);
  }

  void assess(const Frame& frame, Assessment& into, std::optional<std::int64_t> given_stamp, bool judge_tiles) {
    const Clock::time_point start = Clock::now();
    const std::int64_t stamp = take_stamp(given_stamp);
    if (!frames.fits(frame, reason)) {
      rule.decide_unseen(reason, milliseconds_since(start), stamp, into);
      return;
    }
    const std::uint8_t* prepared = frames.prepared(frame);
    run(prepared);
    if (is_looked_at) pictures.look(frames.picture(prepared), judge_tiles, findings);
    take_findings(into);
    const double* parts = pass->parts();
    into.parts.assign(parts, parts == nullptr ? parts : parts + sealed.manifest.detector.parts.size());
    into.score = rule.finite_score(pass->score(), parts);
    const detail::SegmentationView segmentation = pass->segmentation();
    into.classes = segmentation.classes;
    into.logits = segmentation.logits;
    rule.answers().answer(pass->answers(), segmentation, into);
    rule.decide(findings.reason, stamp_fault, milliseconds_since(start), stamp, into);
  }

  // The stamp of a frame, or the time of receipt; `stamp_fault` says why a given one was not used.
  std::int64_t take_stamp(std::optional<std::int64_t> given) {
    stamp_fault.clear();
    if (given && *given >= 0) return *given;
    if (given) {
      detail::append(stamp_fault, "expected a stamp from 0 to 2**63 - 1 ns, got ", *given, ": the clock of the camera is wrong");
    }
    return now_ns();
  }

  void take_findings(Assessment& into) const {
    into.faulty_tiles.reset();
    into.tile_faults = findings.tile_faults;
    if (!findings.has_tiles) return;
    const detail::RegionNames& grid = *pictures.grid();
    into.faulty_tiles = {static_cast<int>(grid.rows()), static_cast<int>(grid.columns()), findings.faulty_tiles};
  }

  detail::SealedManifest sealed;
  detail::Golden golden;
  bool is_looked_at;
  std::string provider;
  std::optional<double> self_test_seconds;
  detail::FrameCheck frames;
  detail::PictureCheck pictures;
  detail::VerdictRule rule;
  std::optional<detail::FramePass> pass;
  detail::PictureFindings findings;
  std::string reason, stamp_fault;
};

Result<Manifest> read_manifest(const std::string& folder, const std::optional<std::string>& expected_sha256) noexcept {
  return detail::guarded([&] { return detail::read_sealed_manifest(folder, expected_sha256).manifest; });
}

Result<Monitor> Monitor::open(const std::string& folder, const MonitorOptions& options) noexcept {
  return detail::guarded([&] {
    detail::Bundle bundle = detail::open_bundle(folder, options.expected_sha256, detail::graph_names(options));
    return Monitor(std::make_unique<Impl>(std::move(bundle), options));
  });
}

Monitor::Monitor(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;
Monitor::~Monitor() = default;

Result<void> Monitor::assess(const Frame& frame, Assessment& into, std::optional<std::int64_t> stamp_ns,
                             bool judge_tiles) noexcept {
  return detail::guarded([&] { impl_->assess(frame, into, stamp_ns, judge_tiles); });
}

Result<double> Monitor::score(const Frame& frame) noexcept {
  return detail::guarded([&] {
    if (!impl_->frames.fits(frame, impl_->reason)) detail::fail(ErrorCode::frame, impl_->reason);
    impl_->run(impl_->frames.prepared(frame));
    return impl_->rule.finite_score(impl_->pass->score(), impl_->pass->parts());
  });
}

Result<void> Monitor::report_invalid(const std::string& reason, Assessment& into,
                                     std::optional<std::int64_t> stamp_ns) noexcept {
  return detail::guarded([&] {
    if (reason.empty()) detail::fail(ErrorCode::argument, "expected a reason, got an empty text: say why there is no image");
    impl_->rule.decide_unseen(reason, 0, impl_->take_stamp(stamp_ns), into);
  });
}

Result<SelfTest> Monitor::self_test() noexcept {
  return detail::guarded([&] { return impl_->self_test(); });
}

const Manifest& Monitor::manifest() const noexcept { return impl_->sealed.manifest; }
const std::string& Monitor::manifest_sha256() const noexcept { return impl_->sealed.sha256; }
double Monitor::threshold() const noexcept { return impl_->rule.threshold(); }
const std::string& Monitor::operating_point() const noexcept { return impl_->rule.operating_point(); }
const std::string& Monitor::provider() const noexcept { return impl_->provider; }

}  // namespace lsood
